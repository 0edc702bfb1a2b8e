package dev.smelt.compress.factorize;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.TensorRole;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Which matrices are looked at: those of attention and feed-forward layers, or the ones whose names
 * match {@code include}, and never those that match {@code exclude}. In a pattern, * stands for any
 * characters and ? for one; a pattern may leave out the final ".weight".
 */
public record LayerSelection(List<String> include, List<String> exclude) {

  public LayerSelection {
    include = List.copyOf(include);
    exclude = List.copyOf(exclude);
  }

  /**
   * @throws UsageException when a pattern matches nothing, or an included tensor is no float matrix
   */
  List<Layer> layers(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    for (String pattern : Stream.concat(include.stream(), exclude.stream()).toList()) {
      requireMatch(pattern, checkpoint);
    }
    List<Layer> layers = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      TensorRole role = architecture.role(tensor.info());
      boolean wanted =
          include.isEmpty() ? role.isBlockMatrix() : matchesAny(include, tensor.name());
      if (wanted && !matchesAny(exclude, tensor.name())) {
        requireMatrix(tensor.info());
        layers.add(new Layer(module(tensor.name()), tensor, role == TensorRole.CONV1D));
      }
    }
    if (layers.isEmpty()) {
      throw new UsageException(
          "no matrix to factorize in " + checkpoint.path(),
          "see smelt inspect, then use --include");
    }
    return layers;
  }

  private static void requireMatch(String pattern, Checkpoint checkpoint) {
    if (checkpoint.tensors().stream().noneMatch(view -> matches(pattern, view.name()))) {
      throw new UsageException(
          "pattern '" + pattern + "' matches no tensor of " + checkpoint.path(),
          "see smelt inspect");
    }
  }

  private static void requireMatrix(TensorInfo tensor) {
    boolean matrix =
        tensor.shape().isMatrix()
            && tensor.elements() > 0
            && tensor.dtype().isFloat()
            && tensor.name().endsWith(Layer.WEIGHT);
    if (!matrix) {
      throw new UsageException(
          "cannot factorize "
              + tensor.name()
              + ": expected a float matrix named *.weight, found "
              + tensor.dtype().label()
              + " "
              + tensor.shape(),
          "narrow --include");
    }
  }

  private static boolean matchesAny(List<String> patterns, String name) {
    return patterns.stream().anyMatch(pattern -> matches(pattern, name));
  }

  private static boolean matches(String pattern, String name) {
    String regex = "\\Q" + pattern.replace("*", "\\E.*\\Q").replace("?", "\\E.\\Q") + "\\E";
    return Pattern.matches(regex + "(\\.weight)?", name);
  }

  private static String module(String tensor) {
    return tensor.substring(0, tensor.length() - Layer.WEIGHT.length());
  }
}
