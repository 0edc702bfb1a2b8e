package dev.smelt.compress.layer;

import dev.smelt.formats.TensorView;
import java.util.List;
import java.util.stream.Stream;

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

  /** The tensors of a file that hold them: A and B, each with its scales where it has them. */
  public List<TensorView> stored() {
    return Stream.of(a, b).flatMap(factor -> factor.stored().stream()).toList();
  }

  /** Bytes of all of them. */
  public long bytes() {
    return a.storedBytes() + b.storedBytes();
  }
}
