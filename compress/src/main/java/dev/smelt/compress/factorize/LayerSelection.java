package dev.smelt.compress.factorize;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.TensorRole;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which matrices are looked at: those of attention and feed-forward layers, or the ones whose names
 * match {@code include}, and never those that match {@code exclude}. In a pattern, * stands for any
 * characters and ? for one; a pattern may leave out the final ".weight".
 *
 * @param splitFused look at the parts of fused matrices, such as queries, keys and values, one by
 *     one
 */
public record LayerSelection(List<String> include, List<String> exclude, boolean splitFused) {

  public LayerSelection {
    include = List.copyOf(include);
    exclude = List.copyOf(exclude);
  }

  /**
   * @throws UsageException when a pattern matches nothing, or an included tensor is no float matrix
   */
  List<Layer> layers(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    List<Pattern> included = patterns(include, checkpoint);
    List<Pattern> excluded = patterns(exclude, checkpoint);
    List<Layer> layers = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      TensorRole role = architecture.role(tensor.info());
      boolean wanted =
          included.isEmpty() ? role.isBlockMatrix() : matchesAny(included, tensor.name());
      if (wanted && !matchesAny(excluded, tensor.name())) {
        requireMatrix(tensor.info(), checkpoint);
        layers.addAll(layers(checkpoint, tensor, role == TensorRole.CONV1D, architecture));
      }
    }
    if (layers.isEmpty()) {
      throw new UsageException(
          "no matrix to factorize in " + checkpoint.path(),
          "see smelt inspect, then use --include");
    }
    return layers;
  }

  private List<Layer> layers(
      Checkpoint checkpoint, TensorView tensor, boolean transposed, Architecture architecture) {
    String module = module(tensor.name());
    List<FusedPart> parts =
        splitFused
            ? checkpoint
                .config()
                .map(config -> architecture.fused(config, tensor.info()))
                .orElse(List.of())
            : List.of();
    if (parts.isEmpty()) {
      return List.of(new Layer(checkpoint.path(), module, tensor, transposed, Optional.empty()));
    }
    return parts.stream()
        .map(
            part ->
                new Layer(
                    checkpoint.path(),
                    module + "." + part.name(),
                    tensor,
                    transposed,
                    Optional.of(part)))
        .toList();
  }

  private static List<Pattern> patterns(List<String> globs, Checkpoint checkpoint) {
    List<Pattern> patterns = globs.stream().map(LayerSelection::pattern).toList();
    for (int i = 0; i < globs.size(); i++) {
      List<Pattern> one = patterns.subList(i, i + 1);
      if (checkpoint.tensors().stream().noneMatch(view -> matchesAny(one, view.name()))) {
        throw new UsageException(
            "pattern '" + globs.get(i) + "' matches no tensor of " + checkpoint.path(),
            "see smelt inspect");
      }
    }
    return patterns;
  }

  private static Pattern pattern(String glob) {
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < glob.length(); i++) {
      switch (glob.charAt(i)) {
        case '*' -> regex.append(".*");
        case '?' -> regex.append('.');
        default -> regex.append(Pattern.quote(glob.substring(i, i + 1)));
      }
    }
    return Pattern.compile(regex + "(\\.weight)?");
  }

  private static boolean matchesAny(List<Pattern> patterns, String name) {
    return patterns.stream().anyMatch(pattern -> pattern.matcher(name).matches());
  }

  private void requireMatrix(TensorInfo tensor, Checkpoint checkpoint) {
    boolean matrix =
        (tensor.shape().isMatrix() || tensor.shape().rank() == Layer.CONVOLUTION_AXES)
            && tensor.elements() > 0
            && tensor.dtype().isFloat()
            && tensor.name().endsWith(Layer.WEIGHT);
    if (!matrix) {
      throw new UsageException(
          String.format(
              "cannot factorize %s of %s: expected a matrix or convolution of floats named *.weight, found %s %s",
              tensor.name(), checkpoint.path(), tensor.dtype().label(), tensor.shape()),
          include.isEmpty() ? "pass --exclude " + tensor.name() : "narrow --include");
    }
  }

  private static String module(String tensor) {
    return tensor.substring(0, tensor.length() - Layer.WEIGHT.length());
  }
}
