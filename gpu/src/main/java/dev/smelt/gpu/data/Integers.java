package dev.smelt.gpu.data;

import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.Set;

/** Tensors of whole numbers. */
final class Integers {

  /** Not U64, whose upper half no Java integer holds; nothing here is that large. */
  private static final Set<DType> TYPES =
      EnumSet.of(DType.I8, DType.U8, DType.I16, DType.U16, DType.I32, DType.U32, DType.I64);

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Integers() {}

  static boolean isInteger(DType type) {
    return TYPES.contains(type);
  }

  /** All elements, row-major. */
  static long[] all(TensorView tensor) {
    long[] values = new long[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = element(tensor, i);
    }
    return values;
  }

  /**
   * A row of a matrix of token ids.
   *
   * @throws MismatchException when a number is no int
   */
  static int[] row(TensorView matrix, int row, String where) {
    int[] values = new int[Math.toIntExact(matrix.shape().size(1))];
    for (int i = 0; i < values.length; i++) {
      long value = element(matrix, (long) row * values.length + i);
      values[i] = (int) value;
      if (values[i] != value) {
        throw new MismatchException("token id out of range", where, "found " + value, "");
      }
    }
    return values;
  }

  private static long element(TensorView tensor, long i) {
    MemorySegment bytes = tensor.segment();
    return switch (tensor.dtype()) {
      case I8 -> bytes.get(ValueLayout.JAVA_BYTE, i);
      case U8 -> Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, i));
      case I16 -> bytes.get(SHORT, i * Short.BYTES);
      case U16 -> Short.toUnsignedLong(bytes.get(SHORT, i * Short.BYTES));
      case I32 -> bytes.get(INT, i * Integer.BYTES);
      case U32 -> Integer.toUnsignedLong(bytes.get(INT, i * Integer.BYTES));
      case I64 -> bytes.get(LONG, i * Long.BYTES);
      default -> throw new IllegalArgumentException("not an integer type: " + tensor.dtype());
    };
  }
}
