package dev.smelt.compress.factorize;

import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.nio.file.Path;

/**
 * A matrix that may be factorised, seen as W ∈ R^{out×in} whatever its orientation on disk.
 *
 * @param checkpoint where it was opened from
 * @param module name of its tensor without {@code .weight}
 * @param transposed true when it is stored [in, out], as GPT-2's Conv1D does
 */
public record Layer(Path checkpoint, String module, TensorView weight, boolean transposed) {

  static final String WEIGHT = ".weight";

  public int out() {
    return Math.toIntExact(weight.shape().size(transposed ? 1 : 0));
  }

  public int in() {
    return Math.toIntExact(weight.shape().size(transposed ? 0 : 1));
  }

  /** The largest rank its factors can have. */
  int fullRank() {
    return Math.min(out(), in());
  }

  /** Elements of two factors of this rank. */
  long factorElements(int rank) {
    return (long) rank * (out() + in());
  }

  /** True when factors of this rank have fewer elements than the matrix itself. */
  boolean isSmallerAt(int rank) {
    return factorElements(rank) < weight.elements();
  }

  /**
   * W on the device, out×in.
   *
   * @throws NonFiniteException when it holds a NaN or an infinity
   */
  Matrix load(LinearAlgebra algebra) {
    weight
        .firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "non-finite value",
                  checkpoint + "|" + weight.name(),
                  "found a NaN or an infinity at index " + index,
                  "repair the model or pass --exclude " + module);
            });
    Matrix stored =
        algebra.matrix(
            Math.toIntExact(weight.shape().size(0)),
            Math.toIntExact(weight.shape().size(1)),
            weight.toDoubles());
    return transposed ? algebra.transpose(stored) : stored;
  }
}
