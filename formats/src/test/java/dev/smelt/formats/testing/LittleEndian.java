package dev.smelt.formats.testing;

import java.io.ByteArrayOutputStream;

/** Bytes in the making. */
final class LittleEndian {

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  LittleEndian u16(long... values) {
    return put(Short.BYTES, values);
  }

  LittleEndian u32(long... values) {
    return put(Integer.BYTES, values);
  }

  LittleEndian u64(long... values) {
    return put(Long.BYTES, values);
  }

  private LittleEndian put(int width, long... values) {
    for (long value : values) {
      for (int i = 0; i < width; i++) {
        bytes.write((int) (value >>> (Byte.SIZE * i)));
      }
    }
    return this;
  }

  LittleEndian bytes(byte[] content) {
    bytes.writeBytes(content);
    return this;
  }

  int size() {
    return bytes.size();
  }

  byte[] toArray() {
    return bytes.toByteArray();
  }
}
