package dev.smelt.compress.layer;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.model.TensorRole;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Which matrices are looked at: those of attention and feed-forward layers, or the ones whose names
 * match {@code include}, and never those that match {@code exclude} ({@link NamePatterns}).
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
  public List<Layer> layers(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    NamePatterns names = new NamePatterns(include, exclude);
    names.requireMatches(checkpoint);
    List<Layer> layers = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      TensorRole role = architecture.role(tensor.info());
      boolean wanted = !include.isEmpty() || role.isBlockMatrix();
      if (wanted && names.selects(tensor.name())) {
        requireMatrix(tensor.info(), checkpoint);
        layers.addAll(layers(checkpoint, tensor, role == TensorRole.CONV1D, architecture));
      }
    }
    if (layers.isEmpty()) {
      throw new UsageException(
          "no matrix to factorize in " + checkpoint.path(),
          "see smelt inspect, then use --include");
    }
    if (splitFused && layers.stream().allMatch(layer -> layer.part().isEmpty())) {
      throw new UsageException(
          "--split-qkv has no effect on "
              + checkpoint.path()
              + ": no matrix there is several in one",
          "leave it out");
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
