package dev.smelt.compress.delta;

import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.peft.AdaptedTensor;
import dev.smelt.formats.peft.AdapterFactors;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.function.Supplier;

/**
 * The values of a changed tensor in f64, row-major: W + s·B·A for a matrix stored [out, in], W +
 * s·(B·A)ᵀ for one stored [in, out] and for a table, b + s·c for a bias.
 */
final class AdaptedValues {

  private AdaptedValues() {}

  /**
   * @param device asked only where there are factors
   * @throws NonFiniteException when a factor holds a NaN or an infinity
   */
  static double[] of(AdaptedTensor tensor, Supplier<ComputeDevice> device) {
    double[] values = tensor.start().toDoubles();
    if (tensor.factors().isPresent()) {
      AdapterFactors factors = tensor.factors().get();
      boolean turned = tensor.transposed() || factors.table();
      add(values, product(factors, turned, device.get()), factors.scale());
    }
    tensor.shift().ifPresent(shift -> add(values, finite(shift), tensor.scale()));
    return values;
  }

  private static void add(double[] values, double[] change, double scale) {
    for (int i = 0; i < values.length; i++) {
      values[i] += scale * change[i];
    }
  }

  private static double[] product(AdapterFactors factors, boolean turned, ComputeDevice device) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix a = load(algebra, factors.a());
      Matrix b = load(algebra, factors.b());
      Matrix product =
          turned
              ? algebra.multiply(algebra.transpose(a), algebra.transpose(b))
              : algebra.multiply(b, a);
      return product.toDoubles();
    }
  }

  static Matrix load(LinearAlgebra algebra, TensorView factor) {
    return algebra.matrix(
        Math.toIntExact(factor.shape().size(0)),
        Math.toIntExact(factor.shape().size(1)),
        finite(factor));
  }

  private static double[] finite(TensorView tensor) {
    tensor
        .firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "non-finite value",
                  tensor.name(),
                  "found a NaN or an infinity at index " + index,
                  "repair the adapter or make it again");
            });
    return tensor.toDoubles();
  }
}
