package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.torch.Tensors;
import java.util.Arrays;

/**
 * Rotary position embedding (Su et al. 2021): at position p, features i and i + n of a head turn
 * together by the angle p·f_i, i = 0 … n−1. Features from 2n on stay as they are.
 */
public record Rotary(RotaryFrequencies frequencies) {

  /**
   * Cosines and sines of one batch, each [1, 1, T, n], or [B, 1, T, n] where frequencies differ
   * with the lengths of the sequences.
   */
  public record Angles(NDArray cos, NDArray sin) {

    /**
     * @param x [B, heads, T, width]
     */
    public NDArray rotate(NDArray x) {
      long n = cos.getShape().get(3);
      long width = x.getShape().get(3);
      NDList parts = x.split(2 * n < width ? new long[] {n, 2 * n} : new long[] {n}, 3);
      NDArray first = parts.get(0);
      NDArray second = parts.get(1);
      NDList turned =
          new NDList(first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin)));
      if (2 * n < width) {
        turned.add(parts.get(2));
      }
      return NDArrays.concat(turned, 3);
    }
  }

  /**
   * @param lengths [B], tokens of each sequence that are not padding
   * @param length T
   */
  public Angles angles(NDManager manager, int[] lengths, int length) {
    double[] ofLongest = frequencies.of(length);
    boolean same =
        Arrays.stream(lengths).allMatch(one -> Arrays.equals(frequencies.of(one), ofLongest));
    int rows = same ? 1 : lengths.length;
    int n = ofLongest.length;
    float[] cos = new float[rows * length * n];
    float[] sin = new float[cos.length];
    for (int row = 0; row < rows; row++) {
      double[] f = same ? ofLongest : frequencies.of(lengths[row]);
      for (int p = 0; p < length; p++) {
        for (int i = 0; i < n; i++) {
          int at = (row * length + p) * n + i;
          cos[at] = (float) (frequencies.magnitude() * Math.cos(p * f[i]));
          sin[at] = (float) (frequencies.magnitude() * Math.sin(p * f[i]));
        }
      }
    }
    return new Angles(
        Tensors.ofFloats(manager, cos, rows, 1, length, n),
        Tensors.ofFloats(manager, sin, rows, 1, length, n));
  }
}
