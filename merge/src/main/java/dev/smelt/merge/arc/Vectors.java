package dev.smelt.merge.arc;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.merge.method.Operands;

/**
 * Into what vectors a tensor is cut. One of more than two axes counts as the matrix [first, all
 * others], whose rows are the filters of a convolution; one of a single axis is a single vector.
 */
enum Vectors {
  WHOLE,
  /** One for each index of the first axis. */
  ROWS,
  /** One along the first axis for each index of the others. */
  COLUMNS;

  /**
   * Where they lie.
   *
   * @param count how many there are
   * @param length of each
   * @param interleaved whether neighbouring elements belong to different ones
   */
  record Layout(int count, long length, boolean interleaved) {

    /** The vector to which an element belongs, counted row by row through the tensor. */
    int vectorOf(long element) {
      return (int) (interleaved ? element % count : element / length);
    }
  }

  /**
   * @throws LimitException when there are too many to keep count of
   */
  Layout of(Operands tensor) {
    TensorInfo info = tensor.output();
    if (this == WHOLE || info.shape().rank() < 2 || info.elements() == 0) {
      return new Layout(1, info.elements(), false);
    }
    long rows = info.shape().size(0);
    long columns = info.elements() / rows;
    long count = this == ROWS ? rows : columns;
    if (count > Integer.MAX_VALUE - Long.SIZE) {
      throw new LimitException(
          "too many vectors in one tensor",
          tensor.theta().getFirst().where(),
          "found " + count + " in " + info.shape(),
          "merge whole tensors as vectors");
    }
    return new Layout((int) count, this == ROWS ? columns : rows, this == COLUMNS);
  }
}
