package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.Arrays;

/**
 * The weights that a mask leaves, fitted anew: row by row the Ŵ within the mask that makes tr((W −
 * Ŵ)H(W − Ŵ)ᵀ) smallest. For one weight this is what {@link Obs} says.
 */
final class Refit {

  /** Enough for what the damping leaves of the condition. */
  private static final int STEPS = 500;

  private static final double TOLERANCE_F64 = 1e-10;
  private static final double TOLERANCE_F32 = 1e-5;

  private Refit() {}

  static PrunedLayer apply(
      LinearAlgebra algebra, Layer layer, Mask mask, InputGram gram, StoredTensors stored) {
    Precision precision = layer.precision();
    Matrix weights = layer.load(algebra, precision);
    Matrix h = gram.load(algebra, layer);
    Matrix found =
        algebra.refit(
            weights,
            algebra.convert(h, precision),
            algebra.convert(kept(algebra, layer, mask), precision),
            STEPS,
            precision == Precision.F64 ? TOLERANCE_F64 : TOLERANCE_F32);
    double[] after = layer.transposed() ? algebra.transpose(found).toDoubles() : found.toDoubles();
    return Compensated.of(
        algebra, layer, mask, weights, after, gram.root(algebra, h, layer), stored);
  }

  /** 1 where weights stay, out×in. */
  private static Matrix kept(LinearAlgebra algebra, Layer layer, Mask mask) {
    double[] kept = new double[Math.toIntExact(mask.elements())];
    Arrays.fill(kept, 1);
    mask.clear(0, kept.length, kept);
    return layer.transposed()
        ? algebra.transpose(algebra.matrix(layer.storedIn(), layer.storedOut(), kept))
        : algebra.matrix(layer.storedOut(), layer.storedIn(), kept);
  }
}
