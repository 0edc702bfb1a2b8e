package dev.smelt.formats.packed;

import dev.smelt.formats.DType;
import java.lang.foreign.MemorySegment;

/** Parts the elements of one tensor into bits and values, and puts them together again. */
sealed interface Kernel permits Lanes, NarrowLanes {

  /** Elements of which a part that is no end must be a multiple. */
  int GROUP = Long.SIZE;

  /** Bytes of room that {@link #pack} wants behind the values. */
  int SLACK = Long.BYTES;

  static Kernel of(DType dtype) {
    return dtype.bits() % Byte.SIZE == 0 ? new Lanes(dtype.bits()) : new NarrowLanes(dtype.bits());
  }

  /** How many elements have a bit that is 1. */
  long count(MemorySegment dense);

  /**
   * Parts the next elements of a tensor into bits and values.
   *
   * @param dense all that is left, or a multiple of {@link #GROUP} elements
   * @param bits of 0, one for each element and up to a whole byte
   * @param values with room for all elements and {@link #SLACK}
   * @return bytes of values
   */
  long pack(MemorySegment dense, MemorySegment bits, MemorySegment values);

  /**
   * Ends the tensor: what does not fill a byte is still to be written.
   *
   * @param values of 0, up to the last byte of the tensor's; none of types of whole bytes
   */
  void finish(MemorySegment values);

  /**
   * Puts a whole tensor together.
   *
   * @param values as many as there are bits of 1
   * @param dense of 0
   */
  void unpack(MemorySegment bits, MemorySegment values, MemorySegment dense);
}
