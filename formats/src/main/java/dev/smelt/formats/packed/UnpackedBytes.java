package dev.smelt.formats.packed;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.TensorView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The bytes of a packed tensor, put together when they are first asked for. */
final class UnpackedBytes implements Supplier<MemorySegment> {

  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private final TensorView bits;
  private final TensorView values;
  private final long bytes;
  private final UnpackedStore store;
  private final String where;

  private volatile @Nullable MemorySegment dense;

  /**
   * @param bits as many as the tensor has elements, up to a whole byte
   * @param bytes of the tensor
   * @param where it is, for refusals
   */
  UnpackedBytes(TensorView bits, TensorView values, long bytes, UnpackedStore store, String where) {
    this.bits = bits;
    this.values = values;
    this.bytes = bytes;
    this.store = store;
    this.where = where;
  }

  /**
   * @throws CorruptException when bits and values do not fit each other
   */
  @Override
  public MemorySegment get() {
    @Nullable MemorySegment known = dense;
    return known == null ? unpack() : known;
  }

  private synchronized MemorySegment unpack() {
    @Nullable MemorySegment known = dense;
    if (known != null) {
      return known;
    }
    long elements = bytes * Byte.SIZE / values.dtype().bits();
    requireZeros(bits.segment(), elements, "bits beyond the last element");
    requireCount();
    MemorySegment made = MemorySegment.ofArray(new byte[0]);
    if (bytes > 0) {
      made = store.allocate(bytes);
      Kernel.of(values.dtype()).unpack(bits.segment(), values.segment(), made);
    }
    dense = made.asReadOnly();
    return dense;
  }

  private void requireCount() {
    long stored = ones(bits.segment());
    long expected = PackedFormat.valueElements(values.dtype(), stored);
    if (values.elements() != expected) {
      throw corrupt(
          "bits and values of a packed tensor do not fit",
          "expected " + expected + " values for " + stored + " bits, found " + values.elements());
    }
    long used = stored * values.dtype().bits();
    requireZeros(values.segment(), used, "bits beyond the last value");
  }

  /** All bits from {@code first} on are 0. */
  private void requireZeros(MemorySegment segment, long first, String what) {
    for (long at = first / Byte.SIZE; at < segment.byteSize(); at++) {
      int found = segment.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
      int before = at == first / Byte.SIZE ? (int) (first % Byte.SIZE) : 0;
      if (found >>> before != 0) {
        throw corrupt(what, "expected zeros, found " + (found >>> before));
      }
    }
  }

  private static long ones(MemorySegment segment) {
    long words = segment.byteSize() / Long.BYTES;
    long count = 0;
    for (long i = 0; i < words; i++) {
      count += Long.bitCount(segment.get(WORD, i * Long.BYTES));
    }
    for (long at = words * Long.BYTES; at < segment.byteSize(); at++) {
      count += Integer.bitCount(segment.get(ValueLayout.JAVA_BYTE, at) & 0xFF);
    }
    return count;
  }

  private CorruptException corrupt(String what, String detail) {
    return new CorruptException(what, where, detail, "copy or make the checkpoint again");
  }
}
