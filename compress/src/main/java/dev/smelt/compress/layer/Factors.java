package dev.smelt.compress.layer;

import dev.smelt.formats.TensorView;

/**
 * A·B as it will be stored.
 *
 * @param a [out, r], of a convolution [out, r, 1, 1]
 * @param b [r, in], of a convolution [r, in, kh, kw]
 */
public record Factors(TensorView a, TensorView b) {

  public int rank() {
    return Math.toIntExact(b.shape().size(0));
  }
}
