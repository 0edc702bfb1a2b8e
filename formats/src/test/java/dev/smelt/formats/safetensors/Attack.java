package dev.smelt.formats.safetensors;

import dev.smelt.formats.SmeltException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A file with one fault.
 *
 * @param fault its name, as a file name: {@code header-longer-than-file}
 * @param content the whole file
 * @param refusal the exact exception it must give
 * @param says what its message must contain besides the file's path
 */
record Attack(
    String fault, ByteBuffer content, Class<? extends SmeltException> refusal, List<String> says) {

  /** Data that most headers here describe: one F32 tensor of two elements. */
  static final byte[] DATA = new byte[8];

  /** A well-formed entry that covers {@link #DATA}. */
  static final String ENTRY = "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";

  static Attack bytes(
      String fault, byte[] content, Class<? extends SmeltException> refusal, String... says) {
    return new Attack(fault, ByteBuffer.wrap(content.clone()), refusal, List.of(says));
  }

  /** A file of this header, padded, and {@link #DATA}. */
  static Attack header(
      String fault, String header, Class<? extends SmeltException> refusal, String... says) {
    return bytes(fault, TestCheckpoints.raw(header, DATA), refusal, says);
  }

  /** A file whose only tensor, "w", has this entry. */
  static Attack entry(
      String fault, String entry, Class<? extends SmeltException> refusal, String... says) {
    return header(fault, "{\"w\":" + entry + "}", refusal, says);
  }

  /** An entry of these parts for {@link #DATA} or other data. */
  static String entryOf(String dtype, String shape, String offsets) {
    return String.format(
        "{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}", dtype, shape, offsets);
  }

  /** A length field and then whatever follows. */
  static byte[] prefixed(long length, byte[] rest) {
    return ByteBuffer.allocate(Long.BYTES + rest.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put(rest)
        .array();
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  byte[] file() {
    byte[] bytes = new byte[content.capacity()];
    content.get(0, bytes);
    return bytes;
  }

  @Override
  public String toString() {
    return fault;
  }
}
