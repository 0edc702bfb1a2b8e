package dev.smelt.formats.packed;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.testing.TestTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Kernels against the format bit by bit, at sizes around a word of bits and for every share of
 * zeros.
 */
class KernelTest {

  private static final long SEED = 20_250_701;
  private static final List<Double> ZEROS = List.of(0.0, 0.1, 0.5, 0.9, 0.99, 1.0);
  private static final int MOST_ELEMENTS = 300;

  @ParameterizedTest
  @EnumSource(DType.class)
  void packsAndUnpacksBitForBit(DType dtype) {
    SplittableRandom random = new SplittableRandom(SEED + dtype.label().hashCode());
    int step = 8 / (int) Math.min(8, Long.lowestOneBit(dtype.bits()));
    for (double zeros : ZEROS) {
      for (int n = 0; n <= MOST_ELEMENTS; n += step * (1 + random.nextInt(9))) {
        check(PlainPacking.sparse("t", dtype, zeros, random, n));
      }
      for (int n = 128 - 4 * step; n <= 128 + 4 * step; n += step) {
        check(PlainPacking.sparse("t", dtype, zeros, random, n));
      }
    }
  }

  private static void check(TestTensor dense) {
    List<TestTensor> parts = PlainPacking.parts(dense);
    byte[] bits = parts.get(0).bytes();
    byte[] values = parts.get(1).bytes();
    String which = dense.info().toString();
    MemorySegment source = MemorySegment.ofArray(dense.bytes());
    long stored = Kernel.of(dense.dtype()).count(source);
    assertThat(PackedFormat.valueElements(dense.dtype(), stored))
        .as(which)
        .isEqualTo(parts.get(1).shape().elements());

    byte[] madeBits = new byte[Kernel.PART / 8];
    byte[] madeValues = new byte[dense.bytes().length + Kernel.SLACK];
    Kernel kernel = Kernel.of(dense.dtype());
    int packed = kernel.pack(source, madeBits, madeValues);
    byte[] end = new byte[values.length - packed];
    kernel.finish(end);
    System.arraycopy(end, 0, madeValues, packed, end.length);
    assertThat(Arrays.copyOf(madeBits, bits.length)).as(which).isEqualTo(bits);
    assertThat(Arrays.copyOf(madeValues, values.length)).as(which).isEqualTo(values);

    MemorySegment made = MemorySegment.ofArray(new byte[dense.bytes().length]);
    Kernel.of(dense.dtype())
        .unpack(MemorySegment.ofArray(bits), MemorySegment.ofArray(values), made);
    assertThat(bytes(made)).as(which).isEqualTo(dense.bytes());
  }

  private static byte[] bytes(MemorySegment segment) {
    return segment.toArray(ValueLayout.JAVA_BYTE);
  }
}
