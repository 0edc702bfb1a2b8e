package dev.smelt.formats.zip;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.TruncatedException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Little-endian numbers of a mapped archive; a place outside of it is a typed refusal. */
record ZipBytes(MemorySegment file, String where) {

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  long size() {
    return file.byteSize();
  }

  int u16(long at) {
    return Short.toUnsignedInt(file.get(SHORT, inside(at, Short.BYTES)));
  }

  long u32(long at) {
    return Integer.toUnsignedLong(file.get(INT, inside(at, Integer.BYTES)));
  }

  /** A size or offset; no archive has one beyond a long. */
  long u64(long at) {
    long value = file.get(LONG, inside(at, Long.BYTES));
    if (value < 0) {
      throw corrupt("impossible number in a zip archive", at, "found " + value);
    }
    return value;
  }

  boolean hasSignature(long at, int signature) {
    return at >= 0 && at <= size() - Integer.BYTES && file.get(INT, at) == signature;
  }

  String text(long at, int length) {
    byte[] bytes = file.asSlice(inside(at, length), length).toArray(ValueLayout.JAVA_BYTE);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw corrupt("entry name of a zip archive is not UTF-8", at, "");
    }
  }

  private long inside(long at, long length) {
    if (at < 0 || at > size() - length) {
      throw new TruncatedException(
          "zip archive ends too early",
          where + "@" + at,
          "expected " + length + " bytes there, the file has " + size() + " in all",
          "copy or download the file again");
    }
    return at;
  }

  CorruptException corrupt(String what, long at, String detail) {
    return new CorruptException(what, where + "@" + at, detail, "");
  }
}
