package dev.smelt.formats.safetensors;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;

/** The place of one tensor in a file being written. Parts may be written by several threads. */
public final class TensorSlot {

  /** Encoded and written at a time; fits the second-level cache. */
  private static final int PART_ELEMENTS = 1 << 16;

  /** Copied at a time. */
  private static final long PART_BYTES = 1 << 24;

  private final TensorInfo info;
  private final SafetensorsWriter file;
  private final long position;
  private final WrittenRanges written = new WrittenRanges();

  TensorSlot(TensorInfo info, SafetensorsWriter file, long position) {
    this.info = info;
    this.file = file;
    this.position = position;
  }

  public TensorInfo info() {
    return info;
  }

  /**
   * Encodes {@code values[0 … count-1]} as elements {@code first …}, rounding once. Of types
   * narrower than a byte, parts must start at a whole byte.
   *
   * @throws LimitException when a finite value is beyond the type's range
   */
  public void write(long first, double[] values, int count) {
    TensorEncoder encoder = new TensorEncoder(info);
    Objects.checkFromIndexSize(first, count, info.elements());
    for (int at = 0; at < count; at += PART_ELEMENTS) {
      int length = Math.min(PART_ELEMENTS, count - at);
      double[] part = at == 0 && length == count ? values : slice(values, at, length);
      ByteBuffer bytes = buffer(length);
      encoder.encode(part, length, first + at, MemorySegment.ofBuffer(bytes), 0);
      writeStored(first + at, bytes);
    }
  }

  /** As {@link #write(long, double[], int)} from f32 values. */
  public void write(long first, float[] values, int count) {
    TensorEncoder encoder = new TensorEncoder(info);
    Objects.checkFromIndexSize(first, count, info.elements());
    for (int at = 0; at < count; at += PART_ELEMENTS) {
      int length = Math.min(PART_ELEMENTS, count - at);
      float[] part = at == 0 && length == count ? values : slice(values, at, length);
      ByteBuffer bytes = buffer(length);
      encoder.encode(part, length, first + at, MemorySegment.ofBuffer(bytes), 0);
      writeStored(first + at, bytes);
    }
  }

  /**
   * Writes elements {@code first …} as they are to be stored, little-endian. Of types narrower than
   * a byte, {@code first} must start at a whole byte.
   *
   * @param bytes all that remains in it
   */
  public void writeStored(long first, ByteBuffer bytes) {
    long start = info.dtype().bytes(first);
    long length = bytes.remaining();
    Objects.checkFromIndexSize(start, length, info.bytes());
    file.write(bytes, position + start);
    written.add(start, start + length);
  }

  /**
   * Copies a tensor of the same type and shape byte for byte.
   *
   * @throws MismatchException when type or shape differ
   */
  public void copy(TensorView source) {
    if (source.dtype() != info.dtype()) {
      throw new MismatchException(
          "cannot copy tensor",
          info.name(),
          "expected " + info.dtype().label() + ", found " + source.dtype().label(),
          "");
    }
    requireShape(source);
    write(0, source.segment());
  }

  /** Copies bytes to where the tensor's byte {@code start} lies. */
  public void write(long start, MemorySegment bytes) {
    Objects.checkFromIndexSize(start, bytes.byteSize(), info.bytes());
    for (long at = 0; at < bytes.byteSize(); at += PART_BYTES) {
      long length = Math.min(PART_BYTES, bytes.byteSize() - at);
      file.write(bytes.asSlice(at, length).asByteBuffer(), position + start + at);
      written.add(start + at, start + at + length);
    }
  }

  /**
   * Writes a whole tensor of the same shape, byte for byte where the types are equal and otherwise
   * rounded to this slot's type.
   *
   * @throws MismatchException when the shapes differ
   * @throws LimitException when a finite value is beyond the type's range
   */
  public void transfer(TensorView source) {
    if (source.dtype() == info.dtype()) {
      copy(source);
      return;
    }
    requireShape(source);
    double[] part = new double[(int) Math.min(PART_ELEMENTS, source.elements())];
    for (long at = 0; at < source.elements(); at += part.length) {
      int count = (int) Math.min(part.length, source.elements() - at);
      source.read(at, count, part);
      write(at, part, count);
    }
  }

  /** True when every byte of the tensor has been written. */
  public boolean isComplete() {
    return written.cover(info.bytes());
  }

  private void requireShape(TensorView source) {
    if (!source.shape().equals(info.shape())) {
      throw new MismatchException(
          "cannot copy tensor",
          info.name(),
          "expected shape " + info.shape() + ", found " + source.shape(),
          "");
    }
  }

  private ByteBuffer buffer(int elements) {
    return ByteBuffer.allocate((int) info.dtype().bytes(elements));
  }

  private static double[] slice(double[] values, int from, int length) {
    return Arrays.copyOfRange(values, from, from + length);
  }

  private static float[] slice(float[] values, int from, int length) {
    return Arrays.copyOfRange(values, from, from + length);
  }
}
