package dev.smelt.formats.pickle;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TruncatedException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads the arguments of opcodes, little-endian, and never past the end. */
final class PickleInput {

  /** A name or a remark; real ones have some hundred bytes. */
  static final int MAX_STRING_BYTES = 1 << 20;

  /** Of all strings together; names of a quarter of a million tensors take a third of it. */
  private static final long MAX_ALL_STRINGS = 1 << 26;

  /** A random generator's state or the like. */
  static final int MAX_BYTES_LENGTH = 1 << 24;

  /** PyTorch's own magic number takes ten. */
  private static final int MAX_NUMBER_BYTES = 16;

  /** Module and function names in the text form of GLOBAL. */
  private static final int MAX_LINE_BYTES = 1_000;

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Python writes the numbers of BINFLOAT in network order. */
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private final MemorySegment source;
  private final String where;
  private final long base;
  private long at;
  private long stringsLeft = MAX_ALL_STRINGS;

  /**
   * @param base offset of {@code source} in its file, for refusals
   */
  PickleInput(MemorySegment source, String where, long base) {
    this.source = source;
    this.where = where;
    this.base = base;
  }

  /** Bytes taken so far. */
  long position() {
    return at;
  }

  /** File and offset of the next byte. */
  String here() {
    return where + "@" + (base + at);
  }

  String at(long position) {
    return where + "@" + (base + position);
  }

  long offset(long position) {
    return base + position;
  }

  int u8() {
    return Byte.toUnsignedInt(source.get(ValueLayout.JAVA_BYTE, take(1)));
  }

  int u16() {
    return Short.toUnsignedInt(source.get(SHORT, take(Short.BYTES)));
  }

  int i32() {
    return source.get(INT, take(Integer.BYTES));
  }

  long u32() {
    return Integer.toUnsignedLong(i32());
  }

  /** An unsigned length; beyond a long it is negative, which no limit lets pass. */
  long u64() {
    return source.get(LONG, take(Long.BYTES));
  }

  double f64() {
    return source.get(DOUBLE, take(Double.BYTES));
  }

  /** A whole number in two's complement. */
  BigInteger number() {
    int length = (int) limited(u8(), MAX_NUMBER_BYTES, "number too long");
    byte[] bytes = bytes(length);
    byte[] bigEndian = new byte[length];
    for (int i = 0; i < length; i++) {
      bigEndian[i] = bytes[length - 1 - i];
    }
    return length == 0 ? BigInteger.ZERO : new BigInteger(bigEndian);
  }

  String text(long length) {
    int bytes = (int) limited(length, MAX_STRING_BYTES, "string too long");
    stringsLeft -= bytes;
    if (stringsLeft < 0) {
      throw new LimitException(
          "too many strings in a pickle", here(), "at most " + MAX_ALL_STRINGS + " bytes", "");
    }
    return utf8(bytes(bytes));
  }

  int skipBytes(long length) {
    int allowed = (int) limited(length, MAX_BYTES_LENGTH, "bytes too long");
    var _ = take(allowed);
    return allowed;
  }

  /** Up to the next line feed, which is taken too. */
  String line() {
    long start = at;
    while (u8() != '\n') {
      limited(at - start, MAX_LINE_BYTES, "name too long");
    }
    return utf8(source.asSlice(start, at - 1 - start).toArray(ValueLayout.JAVA_BYTE));
  }

  private String utf8(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new CorruptException("string in a pickle is not UTF-8", here(), "", "");
    }
  }

  private byte[] bytes(int length) {
    return source.asSlice(take(length), length).toArray(ValueLayout.JAVA_BYTE);
  }

  private long limited(long length, long limit, String what) {
    if (length < 0 || length > limit) {
      throw new LimitException(
          what + " in a pickle",
          here(),
          "at most " + limit + " bytes, found " + Long.toUnsignedString(length),
          "");
    }
    return length;
  }

  private long take(long bytes) {
    long start = at;
    if (bytes > source.byteSize() - start) {
      throw new TruncatedException(
          "pickle ends in the middle",
          here(),
          "expected " + bytes + " bytes, found " + (source.byteSize() - start),
          "copy or download the file again");
    }
    at += bytes;
    return start;
  }
}
