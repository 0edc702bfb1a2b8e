package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.Optional;

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
    Layer layer = new Layer(original.path(), module, dense, stored.transposed(), Optional.empty());
    TensorView a = written.tensor(LowRank.factorA(module));
    TensorView b = written.tensor(LowRank.factorB(module));
    boolean sized = dense.shape().rank() >= 2 && dense.elements() > 0;
    int rank = sized && b.shape().rank() >= 2 ? Math.toIntExact(b.shape().size(0)) : 0;
    boolean fits =
        rank > 0
            && a.shape().equals(layer.shapeOfA(rank))
            && b.shape().equals(layer.shapeOfB(rank));
    if (!fits) {
      throw new MismatchException(
          "factors of another shape",
          written.path() + "|" + module,
          "expected those of " + dense.shape() + ", found " + a.shape() + " and " + b.shape(),
          "compare with the model it was made of");
    }
    return new Certifier(device, metric).certify(layer, new Factors(a, b));
  }
}
