package dev.smelt.gpu.engine;

import dev.smelt.formats.TensorView;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Fills matrices a few rows at a time, which bounds the Java heap that they pass through. */
record MatrixFiller(MatrixKernels kernels) {

  /** Elements that pass through the heap at a time. */
  private static final int CHUNK = 4 << 20;

  Matrix load(TensorView view, Precision precision) {
    if (!view.shape().isMatrix()) {
      throw new IllegalArgumentException("load: " + view.name() + " is " + view.shape());
    }
    int rows = Math.toIntExact(view.shape().size(0));
    int cols = Math.toIntExact(view.shape().size(1));
    Matrix matrix = kernels.zeros(rows, cols, precision);
    int step = Math.max(1, CHUNK / cols);
    for (int row = 0; row < rows; row += step) {
      int count = Math.min(step, rows - row) * cols;
      switch (precision) {
        case F32 -> {
          float[] values = new float[count];
          view.read((long) row * cols, count, values);
          for (int i = 0; i < count; i++) {
            Operands.requireFinite(view.name(), values[i], i, row, cols);
          }
          kernels.setRows(matrix, row, values);
        }
        case F64 -> kernels.setRows(matrix, row, rows(view, row, count));
      }
    }
    return matrix;
  }

  private static double[] rows(TensorView view, int row, int count) {
    int cols = Math.toIntExact(view.shape().size(1));
    double[] values = new double[count];
    view.read((long) row * cols, count, values);
    for (int i = 0; i < count; i++) {
      Operands.requireFinite(view.name(), values[i], i, row, cols);
    }
    return values;
  }

  Matrix loadShifted(TensorView view, double alpha, double beta) {
    return loadGram(view, alpha, 1, beta);
  }

  Matrix loadGram(TensorView view, double scale, double offDiagonal, double shift) {
    int n = Math.toIntExact(view.shape().size(0));
    Operands.requireEqual(
        view.name() + ": rows against columns", n, Math.toIntExact(view.shape().size(1)));
    Matrix matrix = kernels.zeros(n, n, Precision.F64);
    int step = Math.max(1, CHUNK / n);
    for (int row = 0; row < n; row += step) {
      double[] values = rows(view, row, Math.min(step, n - row) * n);
      for (int i = 0; i < values.length; i++) {
        boolean onDiagonal = i % n == row + i / n;
        values[i] = scale * (onDiagonal ? values[i] : offDiagonal * values[i]);
        values[i] += onDiagonal ? shift : 0;
      }
      kernels.setRows(matrix, row, values);
    }
    return matrix;
  }

  Matrix signs(int rows, int cols, long seed, Precision precision) {
    Matrix matrix = kernels.zeros(rows, cols, precision);
    SplittableRandom random = new SplittableRandom(seed);
    int step = Math.max(1, CHUNK / cols);
    for (int row = 0; row < rows; row += step) {
      int count = Math.min(step, rows - row) * cols;
      switch (precision) {
        case F32 -> kernels.setRows(matrix, row, signs(random, count));
        case F64 -> {
          float[] signs = signs(random, count);
          double[] wide = new double[count];
          Arrays.setAll(wide, i -> signs[i]);
          kernels.setRows(matrix, row, wide);
        }
      }
    }
    return matrix;
  }

  /** A word of random bits makes as many signs. */
  private static float[] signs(SplittableRandom random, int count) {
    float[] signs = new float[count];
    for (int from = 0; from < count; from += Long.SIZE) {
      long bits = random.nextLong();
      int end = Math.min(count, from + Long.SIZE);
      for (int i = from; i < end; i++) {
        signs[i] = 1 - 2 * ((bits >>> i) & 1);
      }
    }
    return signs;
  }
}
