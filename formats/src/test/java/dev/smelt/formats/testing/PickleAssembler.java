package dev.smelt.formats.testing;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes pickles opcode by opcode, right or wrong. */
public final class PickleAssembler {

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  /** A pickle of protocol 2, as PyTorch writes it. */
  public static PickleAssembler start() {
    return new PickleAssembler().raw(0x80, 2);
  }

  /** These bytes as they are. */
  public PickleAssembler raw(int... values) {
    for (int value : values) {
      bytes.write(value);
    }
    return this;
  }

  /** Opcodes without arguments, by their characters. */
  public PickleAssembler ops(String opcodes) {
    bytes.writeBytes(opcodes.getBytes(StandardCharsets.ISO_8859_1));
    return this;
  }

  public PickleAssembler global(String module, String name) {
    return ops("c" + module + "\n" + name + "\n");
  }

  /** BINUNICODE. */
  public PickleAssembler text(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return ops("X").u32(utf8.length).bytes(utf8);
  }

  /** BININT where it fits, otherwise LONG1 of eight bytes. */
  public PickleAssembler whole(long value) {
    return (int) value == value ? ops("J").u32(value) : raw(0x8a, 8).u64(value);
  }

  /** BINFLOAT, in network order. */
  public PickleAssembler real(double value) {
    return ops("G").bytes(ByteBuffer.allocate(Double.BYTES).putDouble(value).array());
  }

  public PickleAssembler bool(boolean value) {
    return raw(value ? 0x88 : 0x89);
  }

  /** A tuple of whole numbers. */
  public PickleAssembler tuple(long... values) {
    ops("(");
    for (long value : values) {
      whole(value);
    }
    return ops("t");
  }

  /** An empty OrderedDict. */
  public PickleAssembler orderedDict() {
    return global("collections", "OrderedDict").ops(")R");
  }

  public PickleAssembler u32(long value) {
    return bytes(littleEndian(Integer.BYTES).putInt((int) value).array());
  }

  public PickleAssembler u64(long value) {
    return bytes(littleEndian(Long.BYTES).putLong(value).array());
  }

  public PickleAssembler bytes(byte[] content) {
    bytes.writeBytes(content);
    return this;
  }

  /** With STOP at its end. */
  public byte[] stop() {
    return ops(".").unfinished();
  }

  /** As it is so far. */
  public byte[] unfinished() {
    return bytes.toByteArray();
  }

  private static ByteBuffer littleEndian(int length) {
    return ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
  }
}
