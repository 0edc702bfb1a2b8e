package dev.smelt.merge.plan;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.method.Operand;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Finds the Gram matrix of the inputs of a matrix in each model. */
final class GramTensors {

  private GramTensors() {}

  /**
   * @param inputs each with statistics
   * @param theta the tensor in each model
   * @param transposed whether a matrix is stored [in, out]
   * @return one per model, or none where no model has it
   * @throws NotFoundException when some have it and some do not, or none has any
   * @throws MismatchException when one is of another order
   */
  static List<Operand> of(List<MergeInput> inputs, List<TensorView> theta, boolean transposed) {
    List<Operand> grams = new ArrayList<>();
    for (int model = 0; model < theta.size(); model++) {
      Statistics source = ModelStatistics.of(inputs.get(model));
      if (!source.has(Statistic.INPUT_GRAM)) {
        throw missing(source, "no Gram matrices");
      }
      String name = theta.get(model).name();
      Optional<TensorView> gram = source.find(Statistic.INPUT_GRAM, name);
      if (gram.isPresent() ? grams.size() < model : !grams.isEmpty()) {
        throw missing(source, "Gram matrices of " + name + " for some models only");
      }
      gram.ifPresent(
          view -> {
            requireOrder(source, view, theta.getFirst().shape(), transposed);
            grams.add(new Operand(source.path(), view));
          });
    }
    return grams;
  }

  private static NotFoundException missing(Statistics source, String what) {
    return new NotFoundException(
        what, source.path().toString(), "", "compute them with smelt fisher --stats input-gram");
  }

  private static void requireOrder(
      Statistics source, TensorView gram, Shape shape, boolean transposed) {
    long in = transposed ? shape.size(0) : shape.elements() / shape.size(0);
    if (!gram.shape().equals(Shape.of(in, in))) {
      throw new MismatchException(
          "Gram matrix of another shape",
          source.path() + "|" + gram.name(),
          "expected " + Shape.of(in, in) + ", found " + gram.shape(),
          "compute the statistics of this model again");
    }
  }
}
