package dev.smelt.formats.testing;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** Makes tensors of every type without the codecs under test. */
public final class TestTensors {

  /** Standard deviation of random weights, as in an initialised transformer. */
  private static final double WEIGHT_SCALE = 0.02;

  private TestTensors() {}

  /** A copy of a stored tensor. */
  public static TestTensor of(TensorView view) {
    byte[] bytes = view.segment().toArray(ValueLayout.JAVA_BYTE);
    return new TestTensor(view.name(), view.dtype(), view.shape(), bytes);
  }

  /** An F32 tensor of these values, row-major. */
  public static TestTensor f32(String name, Shape shape, float... values) {
    byte[] bytes = new byte[values.length * Float.BYTES];
    ByteBuffer buffer = littleEndian(bytes);
    for (float value : values) {
      buffer.putFloat(value);
    }
    return new TestTensor(name, DType.F32, shape, bytes);
  }

  /** An F64 tensor of these values, row-major. */
  public static TestTensor f64(String name, Shape shape, double... values) {
    byte[] bytes = new byte[values.length * Double.BYTES];
    ByteBuffer buffer = littleEndian(bytes);
    for (double value : values) {
      buffer.putDouble(value);
    }
    return new TestTensor(name, DType.F64, shape, bytes);
  }

  /** An F16 tensor of these values, which should be exact in it. */
  public static TestTensor f16(String name, Shape shape, float... values) {
    byte[] bytes = new byte[values.length * Short.BYTES];
    ByteBuffer buffer = littleEndian(bytes);
    for (float value : values) {
      buffer.putShort(Float.floatToFloat16(value));
    }
    return new TestTensor(name, DType.F16, shape, bytes);
  }

  /** A BF16 tensor of the upper halves of these values, which should be exact in it. */
  public static TestTensor bf16(String name, Shape shape, float... values) {
    byte[] bytes = new byte[values.length * Short.BYTES];
    ByteBuffer buffer = littleEndian(bytes);
    for (float value : values) {
      buffer.putShort((short) (Float.floatToRawIntBits(value) >>> Short.SIZE));
    }
    return new TestTensor(name, DType.BF16, shape, bytes);
  }

  /** An I64 tensor of these values, row-major. */
  public static TestTensor i64(String name, Shape shape, long... values) {
    byte[] bytes = new byte[values.length * Long.BYTES];
    ByteBuffer buffer = littleEndian(bytes);
    for (long value : values) {
      buffer.putLong(value);
    }
    return new TestTensor(name, DType.I64, shape, bytes);
  }

  /**
   * Random content, the same for the same seed. F64, F32, F16 and BF16 hold normal deviates of
   * standard deviation 0.02, narrower floats any of their finite codes, BOOL 0 or 1, other types
   * any bits.
   */
  public static TestTensor random(String name, DType dtype, long seed, long... sizes) {
    Shape shape = Shape.of(sizes);
    RandomGenerator random = new SplittableRandom(seed);
    int elements = Math.toIntExact(shape.elements());
    byte[] bytes = new byte[Math.toIntExact((elements * (long) dtype.bits() + 7) / 8)];
    switch (dtype) {
      case F64, F32, F16, BF16 -> {
        ByteBuffer buffer = littleEndian(bytes);
        for (int i = 0; i < elements; i++) {
          putNormal(dtype, random.nextGaussian() * WEIGHT_SCALE, buffer);
        }
      }
      case F8_E4M3 -> putCodes(bytes, random, 0x7F, 0xFF);
      case F8_E5M2 -> putCodes(bytes, random, 0x7C, 0x7D, 0x7E, 0x7F, 0xFC, 0xFD, 0xFE, 0xFF);
      case F8_E8M0 -> putCodes(bytes, random, 0xFF);
      case BOOL -> {
        for (int i = 0; i < bytes.length; i++) {
          bytes[i] = (byte) random.nextInt(2);
        }
      }
      default -> random.nextBytes(bytes);
    }
    return new TestTensor(name, dtype, shape, bytes);
  }

  /** One random matrix of every type, named after it, in the order of the enum. */
  public static List<TestTensor> everyType(long seed, long rows, long columns) {
    return Arrays.stream(DType.values())
        .map(
            type ->
                random(
                    "every." + type.label(),
                    type,
                    seed * 31 + type.label().hashCode(),
                    rows,
                    columns))
        .toList();
  }

  private static void putNormal(DType dtype, double value, ByteBuffer bytes) {
    switch (dtype) {
      case F64 -> bytes.putDouble(value);
      case F32 -> bytes.putFloat((float) value);
      case F16 -> bytes.putShort(Float.floatToFloat16((float) value));
      case BF16 -> bytes.putShort((short) (Float.floatToRawIntBits((float) value) >>> Short.SIZE));
      default -> throw new IllegalArgumentException("not a wide float: " + dtype);
    }
  }

  private static void putCodes(byte[] bytes, RandomGenerator random, int... exceptions) {
    for (int i = 0; i < bytes.length; i++) {
      int code = random.nextInt(256);
      while (Arrays.binarySearch(exceptions, code) >= 0) {
        code = random.nextInt(256);
      }
      bytes[i] = (byte) code;
    }
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
