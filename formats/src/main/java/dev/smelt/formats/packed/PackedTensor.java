package dev.smelt.formats.packed;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.TensorSlot;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** A tensor that takes less room as bits and values: what will be written of it. */
final class PackedTensor {

  /** An entry of a header is a name, twice at most in its escaped form, and less than this. */
  private static final long ENTRY_BYTES = 128;

  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final TensorView dense;
  private final long stored;

  private PackedTensor(TensorView dense, long stored) {
    this.dense = dense;
    this.stored = stored;
  }

  /** Counts; nothing where bits, values and two more entries of a header would take more room. */
  static Optional<PackedTensor> of(TensorView dense) {
    long stored = Kernel.of(dense.dtype()).count(dense.segment());
    long entries = 2 * (utf8(dense.name()) + ENTRY_BYTES);
    return PackedFormat.bytes(dense.info(), stored) + entries < dense.info().bytes()
        ? Optional.of(new PackedTensor(dense, stored))
        : Optional.empty();
  }

  private static int utf8(String name) {
    return name.getBytes(StandardCharsets.UTF_8).length;
  }

  String name() {
    return dense.name();
  }

  /** Its parts in the file. */
  List<TensorInfo> infos() {
    return List.of(bits(), values(), shape());
  }

  private TensorInfo bits() {
    Shape shape = Shape.of(PackedFormat.bitBytes(dense.elements()));
    return new TensorInfo(name() + PackedFormat.BITS, DType.U8, shape);
  }

  private TensorInfo values() {
    Shape shape = Shape.of(PackedFormat.valueElements(dense.dtype(), stored));
    return new TensorInfo(name() + PackedFormat.VALUES, dense.dtype(), shape);
  }

  private TensorInfo shape() {
    return new TensorInfo(name() + PackedFormat.SHAPE, DType.I64, Shape.of(dense.shape().rank()));
  }

  /** Fills the slots of all parts; only the pages of a small part of it are in use at a time. */
  void write(Function<String, TensorSlot> slots) {
    writeShape(slots.apply(shape().name()));
    TensorSlot bitSlot = slots.apply(bits().name());
    TensorSlot valueSlot = slots.apply(values().name());
    Kernel kernel = Kernel.of(dense.dtype());
    long partBytes = dense.dtype().bytes(Kernel.PART);
    byte[] someBits = new byte[Kernel.PART / Byte.SIZE];
    byte[] someValues = new byte[(int) partBytes + Kernel.SLACK];
    long bitsAt = 0;
    long valuesAt = 0;
    for (long at = 0; at < dense.info().bytes(); at += partBytes) {
      long length = Math.min(partBytes, dense.info().bytes() - at);
      int packed = kernel.pack(dense.segment().asSlice(at, length), someBits, someValues);
      long bitBytes = Math.min(someBits.length, bits().bytes() - bitsAt);
      bitSlot.write(bitsAt, MemorySegment.ofArray(someBits).asSlice(0, bitBytes));
      valueSlot.write(valuesAt, MemorySegment.ofArray(someValues).asSlice(0, packed));
      bitsAt += bitBytes;
      valuesAt += packed;
    }
    byte[] end = new byte[(int) (values().bytes() - valuesAt)];
    kernel.finish(end);
    valueSlot.write(valuesAt, MemorySegment.ofArray(end));
  }

  private void writeShape(TensorSlot slot) {
    MemorySegment sizes = MemorySegment.ofArray(new byte[(int) shape().bytes()]);
    for (int axis = 0; axis < dense.shape().rank(); axis++) {
      sizes.set(I64, (long) axis * Long.BYTES, dense.shape().size(axis));
    }
    slot.write(0, sizes);
  }
}
