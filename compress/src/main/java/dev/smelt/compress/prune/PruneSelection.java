package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.model.TensorRole;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Which tensors lose weights: the matrices and convolutions of attention and feed-forward layers,
 * or their factors, or those whose names match {@code include}, and never those that match {@code
 * exclude} ({@link NamePatterns}).
 */
public record PruneSelection(List<String> include, List<String> exclude) {

  private static final int CONVOLUTION_AXES = 4;

  public PruneSelection {
    include = List.copyOf(include);
    exclude = List.copyOf(exclude);
  }

  /**
   * Whole tensors, each as a matrix.
   *
   * @throws UsageException when a pattern matches nothing, or an included tensor is no float matrix
   */
  public List<Layer> layers(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    NamePatterns names = new NamePatterns(include, exclude);
    names.requireMatches(checkpoint);
    List<Layer> layers = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      TensorRole role = architecture.role(tensor.info());
      boolean factor =
          role == TensorRole.FACTOR
              && hasAxes(tensor.info())
              && !tensor.name().endsWith(LowRank.scaleOf(""));
      boolean wanted = !include.isEmpty() || role.isBlockMatrix() || factor;
      if (wanted && names.selects(tensor.name())) {
        requireMatrix(tensor.info(), checkpoint);
        layers.add(layer(checkpoint, tensor, role));
      }
    }
    if (layers.isEmpty()) {
      throw new UsageException(
          "no matrix to prune in " + checkpoint.path(), "see smelt inspect, then use --include");
    }
    requireCopies(layers, checkpoint, architecture);
    return layers;
  }

  /** A tensor as the matrix that it is. */
  public static Layer layer(Checkpoint checkpoint, TensorView tensor) {
    return layer(checkpoint, tensor, Architecture.of(checkpoint.config()).role(tensor.info()));
  }

  private static Layer layer(Checkpoint checkpoint, TensorView tensor, TensorRole role) {
    return new Layer(
        checkpoint.path(),
        module(tensor.name()),
        tensor,
        role == TensorRole.CONV1D,
        Optional.empty());
  }

  private static boolean hasAxes(TensorInfo tensor) {
    return tensor.shape().isMatrix() || tensor.shape().rank() == CONVOLUTION_AXES;
  }

  private static void requireMatrix(TensorInfo tensor, Checkpoint checkpoint) {
    if (!hasAxes(tensor) || tensor.elements() == 0 || !tensor.dtype().isFloat()) {
      throw new UsageException(
          String.format(
              "cannot prune %s of %s: expected a matrix or convolution of floats, found %s %s",
              tensor.name(), checkpoint.path(), tensor.dtype().label(), tensor.shape()),
          tensor.dtype().isFloat()
              ? "pass --exclude " + tensor.name()
              : "use smelt expand first, or pass --exclude " + tensor.name());
    }
  }

  /** A matrix that the config ties to another one must stay its copy, if it is stored at all. */
  private static void requireCopies(
      List<Layer> layers, Checkpoint checkpoint, Architecture architecture) {
    if (checkpoint.config().filter(architecture::isTied).isEmpty()) {
      return;
    }
    List<String> chosen = layers.stream().map(layer -> layer.weight().name()).toList();
    List<String> stored =
        checkpoint.infos().stream().filter(info -> hasAxes(info)).map(TensorInfo::name).toList();
    architecture
        .tied()
        .forEach(
            (copy, source) -> {
              Optional<String> one = named(stored, copy, architecture);
              Optional<String> other = named(stored, source, architecture);
              if (one.isPresent()
                  && other.isPresent()
                  && chosen.contains(one.get()) != chosen.contains(other.get())) {
                throw new UsageException(
                    one.get()
                        + " and "
                        + other.get()
                        + " are one matrix, of which a part is chosen",
                    "include both, or exclude both");
              }
            });
  }

  private static Optional<String> named(
      List<String> stored, String bareName, Architecture architecture) {
    return stored.stream().filter(name -> architecture.bareName(name).equals(bareName)).findFirst();
  }

  private static String module(String tensor) {
    return tensor.endsWith(Layer.WEIGHT)
        ? tensor.substring(0, tensor.length() - Layer.WEIGHT.length())
        : tensor;
  }
}
