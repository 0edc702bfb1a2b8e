package dev.smelt.formats.packed;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.random.RandomGenerator;

/** The parts of packed tensors bit by bit, from the description of the format alone. */
final class PlainPacking {

  private PlainPacking() {}

  /** All parts, stored being every element with a bit of 1. */
  static List<TestTensor> parts(TestTensor dense) {
    BitSet stored = new BitSet();
    for (int i = 0; i < elements(dense); i++) {
      stored.set(i, !element(dense, i).isEmpty());
    }
    return parts(dense, stored);
  }

  /** All parts, with these elements stored. */
  static List<TestTensor> parts(TestTensor dense, BitSet stored) {
    int elements = elements(dense);
    int width = dense.dtype().bits();
    BitSet values = new BitSet();
    int count = 0;
    for (int i = 0; i < elements; i++) {
      if (stored.get(i)) {
        int start = count++ * width;
        element(dense, i).stream().forEach(bit -> values.set(start + bit));
      }
    }
    int padded = count;
    while (padded * width % 8 != 0) {
      padded++;
    }
    byte[] bits = bytes(stored, (elements + 7) / 8);
    ByteBuffer shape = ByteBuffer.allocate(dense.shape().rank() * 8).order(ByteOrder.LITTLE_ENDIAN);
    dense.shape().sizes().forEach(shape::putLong);
    String name = dense.name();
    return List.of(
        new TestTensor(name + ".smelt_bits", DType.U8, Shape.of(bits.length), bits),
        new TestTensor(
            name + ".smelt_values",
            dense.dtype(),
            Shape.of(padded),
            bytes(values, padded * width / 8)),
        new TestTensor(
            name + ".smelt_shape", DType.I64, Shape.of(dense.shape().rank()), shape.array()));
  }

  /** A tensor of which that share of elements is 0, and others any bits: NaN, −0 and 0 as well. */
  static TestTensor sparse(
      String name, DType dtype, double zeros, RandomGenerator random, long... sizes) {
    Shape shape = Shape.of(sizes);
    int width = dtype.bits();
    BitSet bits = new BitSet();
    for (int i = 0; i < shape.elements(); i++) {
      if (random.nextDouble() >= zeros) {
        switch (random.nextInt(4)) {
          case 0 -> bits.set((i + 1) * width - 1);
          case 1 -> bits.set(i * width, (i + 1) * width);
          default -> {
            for (int bit = i * width; bit < (i + 1) * width; bit++) {
              bits.set(bit, random.nextBoolean());
            }
          }
        }
      }
    }
    return new TestTensor(name, dtype, shape, bytes(bits, (int) dtype.bytes(shape.elements())));
  }

  private static BitSet element(TestTensor tensor, int index) {
    int width = tensor.dtype().bits();
    return BitSet.valueOf(tensor.bytes()).get(index * width, (index + 1) * width);
  }

  private static int elements(TestTensor tensor) {
    return Math.toIntExact(tensor.shape().elements());
  }

  private static byte[] bytes(BitSet bits, int length) {
    return Arrays.copyOf(bits.toByteArray(), length);
  }
}
