package dev.smelt.formats.packed;

import dev.smelt.formats.DType;
import java.lang.foreign.MemorySegment;

/** Parts the elements of one tensor into bits and values, and puts them together again. */
sealed interface Kernel permits Lanes, NarrowLanes {

  /** The most elements that are packed at a time; of all types they fit a second-level cache. */
  int PART = 1 << 16;

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
   * @param dense {@link #PART} elements, or all that are left
   * @param bits gets one for each element, and zeros up to a whole byte; of length PART/8
   * @param values with room for all elements and {@link #SLACK}
   * @return bytes of values
   */
  int pack(MemorySegment dense, byte[] bits, byte[] values);

  /**
   * Ends the tensor: what does not fill a byte is still to be written.
   *
   * @param values of 0, up to the last byte of the tensor's; none of types of whole bytes
   */
  void finish(byte[] values);

  /**
   * Puts a whole tensor together.
   *
   * @param values as many as there are bits of 1
   * @param dense of 0
   */
  void unpack(MemorySegment bits, MemorySegment values, MemorySegment dense);
}
