package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

/** What a layer's outputs lose with some of its inputs. */
final class OutputError {

  private OutputError() {}

  /**
   * √(tr(ΔAΔᵀ) / tr(WAWᵀ)), Δ = W − Ŵ with Ŵ as it is stored; 0 where there are no outputs.
   *
   * @param fitted what is left of the layer, in its orientation
   * @param kept the inputs that are left, ascending
   * @param gram A = E[x xᵀ] over all its inputs
   */
  static double of(
      ComputeDevice device, Layer layer, TensorView fitted, int[] kept, TensorView gram) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix a = algebra.load(gram, Precision.F64, false);
      Matrix w = layer.load(algebra, Precision.F64);
      double[] difference = w.toDoubles();
      double all = energy(algebra, w, a, difference);
      double[] values = algebra.load(fitted, Precision.F64, layer.transposed()).toDoubles();
      for (int i = 0; i < values.length; i++) {
        difference[i / kept.length * w.cols() + kept[i % kept.length]] -= values[i];
      }
      Matrix left = algebra.matrix(w.rows(), w.cols(), difference);
      double rest = energy(algebra, left, a, difference);
      return all > 0 ? Math.sqrt(Math.max(0, rest) / all) : 0;
    }
  }

  /**
   * tr(XAXᵀ).
   *
   * @param values of X, row-major
   */
  private static double energy(LinearAlgebra algebra, Matrix x, Matrix a, double[] values) {
    try (LinearAlgebra inner = algebra.inner()) {
      double[] products = inner.multiply(x, a).toDoubles();
      double sum = 0;
      for (int i = 0; i < products.length; i++) {
        sum += products[i] * values[i];
      }
      return sum;
    }
  }
}
