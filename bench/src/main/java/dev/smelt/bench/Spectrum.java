package dev.smelt.bench;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;

/** Random matrices with two kinds of singular values. */
enum Spectrum {
  /** Independent normal elements: singular values that fall slowly, the hardest case. */
  GAUSSIAN,
  /** σ_k ≈ 1/√k and a floor of noise, as in trained weights. */
  TRAINED;

  private static final double FLOOR = 0.1;

  Matrix matrix(LinearAlgebra algebra, int out, int in, long seed) {
    Matrix noise = gaussian(algebra, out, in, seed);
    if (this == GAUSSIAN) {
      return noise;
    }
    int k = Math.min(out, in);
    double[] values = new double[k];
    Arrays.setAll(values, i -> 1 / Math.sqrt((i + 1.0) * out * in));
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix left = inner.scaleColumns(gaussian(inner, out, k, ~seed), values);
      double floor = FLOOR / Math.sqrt(Math.max(out, in));
      return algebra.keep(
          inner.multiplyAdd(1, left, gaussian(inner, k, in, seed + 1000), floor, noise));
    }
  }

  private static Matrix gaussian(LinearAlgebra algebra, int rows, int cols, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[rows * cols];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    try (LinearAlgebra inner = algebra.inner()) {
      return algebra.keep(inner.convert(inner.matrix(rows, cols, values), Precision.F32));
    }
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
