package dev.smelt.compress.structure;

import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/** Gram matrices of made-up inputs, as a file and in plain Java. */
final class GramFile {

  private final Map<String, double[][]> grams = new LinkedHashMap<>();
  private final Random random = new Random(99);

  /** X Xᵀ of inputs that go together, rounded to f32; singular where there are few examples. */
  GramFile add(String module, int n, int examples) {
    double[][] mix = gaussian(n, n);
    double[][] x = new double[examples][n];
    for (double[] row : x) {
      double[] drawn = random.doubles(n, -1, 1).toArray();
      for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
          row[i] += mix[i][k] * drawn[k];
        }
      }
    }
    double[][] gram = new double[n][n];
    for (double[] row : x) {
      for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
          gram[i][k] += row[i] * row[k];
        }
      }
    }
    for (int i = 0; i < n; i++) {
      for (int k = 0; k <= i; k++) {
        gram[i][k] = (float) gram[i][k];
        gram[k][i] = gram[i][k];
      }
    }
    grams.put(module, gram);
    return this;
  }

  private double[][] gaussian(int rows, int columns) {
    double[][] a = new double[rows][columns];
    for (double[] row : a) {
      for (int k = 0; k < columns; k++) {
        row[k] = random.nextGaussian();
      }
    }
    return a;
  }

  double[][] of(String module) {
    return Objects.requireNonNull(grams.get(module), module);
  }

  Path write(Path file) {
    List<TestTensor> tensors = new ArrayList<>();
    grams.forEach(
        (module, gram) -> {
          int n = gram.length;
          float[] values = new float[n * n];
          for (int i = 0; i < n * n; i++) {
            values[i] = (float) gram[i / n][i % n];
          }
          tensors.add(TestTensors.f32("input_gram/" + module, Shape.of(n, n), values));
        });
    return TestCheckpoints.file(file, tensors);
  }
}
