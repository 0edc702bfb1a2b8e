package dev.smelt.gpu.gradient;

import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Layout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A linear layer of random shape with inputs x, and gradients c of its outputs. */
final class RandomLayer {

  final Random random;
  final int examples;
  final int length;
  final int in;
  final int out;
  final int[] lengths;
  final Layout layout;
  final double[][][] c;
  final double[][][] x;
  final Batch batch;

  /** W [out][in], some of it 0, in places whole rows. */
  final double[][] w;

  RandomLayer(int seed) {
    random = new Random(seed);
    examples = 1 + random.nextInt(4);
    // One position takes a way of its own, so it comes up often.
    length = random.nextInt(3) == 0 ? 1 : 1 + random.nextInt(6);
    in = 1 + random.nextInt(9);
    out = 1 + random.nextInt(9);
    layout = random.nextBoolean() ? Layout.OUT_IN : Layout.IN_OUT;
    lengths = new int[examples];
    List<Example> sequences = new ArrayList<>();
    for (int n = 0; n < examples; n++) {
      lengths[n] = n == 0 ? length : 1 + random.nextInt(length);
      int[] ids = random.ints(lengths[n], 0, out).toArray();
      sequences.add(new Example.Labelled(ids, new int[lengths[n]], 0));
    }
    batch = Batch.of(0, sequences);
    x = values(in, false);
    c = values(out, true);
    w = new double[out][in];
    for (double[] row : w) {
      boolean dead = random.nextInt(5) == 0;
      for (int j = 0; j < in; j++) {
        row[j] = dead || random.nextInt(4) == 0 ? 0 : (float) random.nextGaussian();
      }
    }
  }

  /** [examples][length][width], at padding zero or not. */
  double[][][] values(int width, boolean zeroAtPadding) {
    double[][][] values = new double[examples][length][width];
    for (int n = 0; n < examples; n++) {
      for (int t = 0; t < length; t++) {
        for (int i = 0; i < width; i++) {
          double value = (float) random.nextGaussian();
          values[n][t][i] = zeroAtPadding && t >= lengths[n] ? 0 : value;
        }
      }
    }
    return values;
  }

  /** Σ over positions of |w_jk x_k| / Σ_l |w_jl x_l|, 0 where the denominator is: [out][in]. */
  double[][] contributions() {
    double[][] sums = new double[out][in];
    for (int n = 0; n < examples; n++) {
      for (int t = 0; t < lengths[n]; t++) {
        for (int i = 0; i < out; i++) {
          double all = 0;
          for (int j = 0; j < in; j++) {
            all += Math.abs(w[i][j] * x[n][t][j]);
          }
          for (int j = 0; j < in && all > 0; j++) {
            sums[i][j] += Math.abs(w[i][j] * x[n][t][j]) / all;
          }
        }
      }
    }
    return sums;
  }

  /** Σ_t c_t x_tᵀ of example n: [out][in]. */
  double[][] gradient(int n) {
    double[][] gradient = new double[out][in];
    for (int t = 0; t < lengths[n]; t++) {
      for (int i = 0; i < out; i++) {
        for (int j = 0; j < in; j++) {
          gradient[i][j] += c[n][t][i] * x[n][t][j];
        }
      }
    }
    return gradient;
  }
}
