package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;

/** Computes the certificate of a written module again, from the model it was made of. */
public final class Recertification {

  private Recertification() {}

  /**
   * @param original the dense model
   * @param written its factorised form
   * @throws MismatchException when the factors are not of the original's shape
   */
  public static Certificate of(
      Checkpoint original,
      Checkpoint written,
      String module,
      LowRank.Module stored,
      Metric metric,
      ComputeDevice device) {
    TensorView dense = original.tensor(module + Layer.WEIGHT);
    Layer layer = new Layer(original.path(), module, dense, stored.transposed());
    TensorView a = written.tensor(LowRank.factorA(module));
    TensorView b = written.tensor(LowRank.factorB(module));
    boolean fits =
        dense.shape().isMatrix()
            && a.shape().isMatrix()
            && b.shape().isMatrix()
            && a.shape().size(0) == layer.out()
            && b.shape().size(1) == layer.in()
            && a.shape().size(1) == b.shape().size(0);
    if (!fits) {
      throw new MismatchException(
          "factors of another shape",
          written.path() + "|" + module,
          "expected those of " + dense.shape() + ", found " + a.shape() + " and " + b.shape(),
          "compare with the model it was made of");
    }
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      int rank = Math.toIntExact(a.shape().size(1));
      return Certificate.of(
          algebra,
          layer.load(algebra),
          algebra.matrix(layer.out(), rank, a.toDoubles()),
          algebra.matrix(rank, layer.in(), b.toDoubles()),
          metric.weighting(algebra, layer).weighting());
    }
  }
}
