package dev.smelt.compress.delta;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A matrix that fine-tuning changed, Δ = W − W_base ∈ R^{out×in} in f64 whatever its orientation on
 * disk. A table [V, d] counts as a matrix with V outputs.
 *
 * @param model where {@code tuned} was opened from
 * @param module name of the tensor without {@code .weight}
 * @param transposed true when it is stored [in, out], as GPT-2's Conv1D does
 * @param table true of an embedding
 */
record ChangedMatrix(
    Path model,
    String module,
    TensorView tuned,
    TensorView base,
    boolean transposed,
    boolean table) {

  static final String WEIGHT = ".weight";

  int out() {
    return Math.toIntExact(tuned.shape().size(transposed ? 1 : 0));
  }

  int in() {
    return Math.toIntExact(tuned.shape().size(transposed ? 0 : 1));
  }

  int fullRank() {
    return Math.min(out(), in());
  }

  /** True when factors of this rank have fewer elements than the change itself. */
  boolean isSmallerAt(int rank) {
    return (long) rank * (out() + in()) < tuned.elements();
  }

  /** As metrics see it. */
  Layer layer() {
    return new Layer(model, module, tuned, transposed, Optional.empty());
  }

  /**
   * Δ on the device.
   *
   * @throws NonFiniteException when W or W_base holds a NaN or an infinity
   */
  Matrix load(LinearAlgebra algebra) {
    requireFinite(tuned);
    requireFinite(base);
    double[] delta = tuned.toDoubles();
    double[] start = base.toDoubles();
    for (int i = 0; i < delta.length; i++) {
      delta[i] -= start[i];
    }
    int rows = Math.toIntExact(tuned.shape().size(0));
    Matrix stored = algebra.matrix(rows, delta.length / rows, delta);
    return transposed ? algebra.transpose(stored) : stored;
  }

  private void requireFinite(TensorView view) {
    view.firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "non-finite value",
                  model + "|" + tuned.name(),
                  "found a NaN or an infinity at index " + index + " of the model or its base",
                  "repair it or pass --exclude " + module);
            });
  }
}
