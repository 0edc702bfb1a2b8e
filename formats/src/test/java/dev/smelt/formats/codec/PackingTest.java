package dev.smelt.formats.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where elements lie in a tensor, parts of it, and the wide types. */
class PackingTest {

  private static final long SEED = 11;

  static List<Oracle> types() {
    return Oracle.ALL;
  }

  @Test
  void twoF4ShareAByteTheFirstInTheLowHalf() {
    MemorySegment target = MemorySegment.ofArray(new byte[2]);
    double[] values = {0.5, -6, 1, 4};
    assertThat(codec(DType.F4).encode(values, 4, target, 0)).isEqualTo(-1);
    assertThat(target.toArray(ValueLayout.JAVA_BYTE)).containsExactly(0xF1, 0x62);
  }

  @Test
  void fourF6FillThreeBytesLeastSignificantBitFirst() {
    // Codes 1, 2, 3 and 63: 111111 000011 000010 000001 read from the right.
    MemorySegment target = MemorySegment.ofArray(new byte[3]);
    double[] values = {0.125, 0.25, 0.375, -7.5};
    assertThat(codec(DType.F6_E2M3).encode(values, 4, target, 0)).isEqualTo(-1);
    assertThat(target.toArray(ValueLayout.JAVA_BYTE)).containsExactly(0x81, 0x30, 0xFC);
  }

  @Test
  void wideTypesAreLittleEndian() {
    assertThat(bytes(DType.F16, 1.5)).containsExactly(0x00, 0x3E);
    assertThat(bytes(DType.BF16, 1.5)).containsExactly(0xC0, 0x3F);
    assertThat(bytes(DType.F32, 1.5)).containsExactly(0x00, 0x00, 0xC0, 0x3F);
    assertThat(bytes(DType.F64, 1.5)).containsExactly(0, 0, 0, 0, 0, 0, 0xF8, 0x3F);
  }

  /** Every part of a tensor decodes and encodes as it does within the whole. */
  @ParameterizedTest
  @MethodSource("types")
  void partsAndTails(Oracle type) {
    SplittableRandom random = new SplittableRandom(SEED);
    int elements = 24;
    List<Integer> codes = new ArrayList<>();
    while (codes.size() < elements) {
      int code = random.nextInt(type.codes());
      if (Double.isFinite(type.value(code))) {
        codes.add(code);
      }
    }
    byte[] packed = Bits.pack(codes, type.bits());
    FloatCodec codec = codec(type.dtype());
    for (int first = 0; first <= elements; first++) {
      for (int count = 0; count <= elements - first; count++) {
        double[] wide = new double[count];
        float[] narrow = new float[count];
        codec.decode(MemorySegment.ofArray(packed), first, count, wide);
        codec.decode(MemorySegment.ofArray(packed), first, count, narrow);
        for (int i = 0; i < count; i++) {
          assertThat(wide[i]).isEqualTo(type.value(codes.get(first + i)));
          assertThat((double) narrow[i]).isEqualTo(type.value(codes.get(first + i)));
        }
        MemorySegment target = MemorySegment.ofArray(packed.clone());
        assertThat(codec.encode(wide, count, target, first)).isEqualTo(-1);
        assertThat(target.toArray(ValueLayout.JAVA_BYTE))
            .as("elements %d to %d, seed %d", first, first + count, SEED)
            .isEqualTo(packed);
      }
    }
  }

  /** In f32 these are ties, which would then go up: rounding twice. */
  @Test
  void roundsOnce() {
    double tie = 1 + 0x1p-8;
    assertThat(bytes(DType.BF16, tie + 0x1p-40)).containsExactly(0x81, 0x3F);
    assertThat(bytes(DType.BF16, tie)).containsExactly(0x80, 0x3F);
    assertThat(bytes(DType.BF16, tie - 0x1p-40)).containsExactly(0x80, 0x3F);
    double upperTie = 1 + 3 * 0x1p-8;
    assertThat(bytes(DType.BF16, upperTie - 0x1p-40)).containsExactly(0x81, 0x3F);
    assertThat(bytes(DType.BF16, upperTie)).containsExactly(0x82, 0x3F);
    assertThat(bytes(DType.F16, 1 + 0x1p-11 + 0x1p-40)).containsExactly(0x01, 0x3C);
    assertThat(bytes(DType.F16, 1 + 3 * 0x1p-11 - 0x1p-40)).containsExactly(0x01, 0x3C);
    // Half of the smallest subnormal, and a little more.
    assertThat(bytes(DType.F16, 0x1p-25)).containsExactly(0x00, 0x00);
    assertThat(bytes(DType.F16, 0x1p-25 + 0x1p-70)).containsExactly(0x01, 0x00);
    assertThat(bytes(DType.BF16, 0x1p-134 + 0x1p-180)).containsExactly(0x01, 0x00);
    assertThat(bytes(DType.F8_E4M3, 1.0625 + 0x1p-40)).containsExactly(0x39);
    assertThat(bytes(DType.F8_E4M3, 1.0625)).containsExactly(0x38);
  }

  @Test
  void f32RangeErrorsNameTheFirst() {
    double[] values = {1, 0x1.fffffefffffffp127, -0x1.ffffffp127, 0x1p300};
    MemorySegment target = MemorySegment.ofArray(new byte[16]);
    assertThat(codec(DType.F32).encode(values, 2, target, 0)).isEqualTo(-1);
    assertThat(target.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4)).isEqualTo(Float.MAX_VALUE);
    assertThat(codec(DType.F32).encode(values, 4, target, 0)).isEqualTo(2);
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16", "F8_E4M3", "F8_E5M2", "F6_E2M3", "F6_E3M2", "F4"})
  void rangeErrorsNameTheFirst(DType type) {
    double[] values = {1, -1, 1e39, 1, -1e39};
    float[] narrow = {1, -1, 3.39e38f, 1, -3.39e38f};
    MemorySegment target = MemorySegment.ofArray(new byte[10]);
    assertThat(codec(type).encode(values, 2, target, 0)).isEqualTo(-1);
    assertThat(codec(type).encode(values, 5, target, 0)).isEqualTo(2);
    int inF32 = type == DType.BF16 ? -1 : 2;
    assertThat(codec(type).encode(narrow, 5, target, 0)).isEqualTo(inF32);
  }

  @Test
  void firstNonFiniteOfF64() {
    double[] values = {1e300, -Double.MAX_VALUE, Double.NaN, Double.POSITIVE_INFINITY};
    byte[] bytes = new byte[32];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : values) {
      buffer.putDouble(value);
    }
    FloatCodec codec = codec(DType.F64);
    assertThat(codec.firstNonFinite(MemorySegment.ofArray(bytes), 2)).isEmpty();
    assertThat(codec.firstNonFinite(MemorySegment.ofArray(bytes), 4)).contains(2L);
    double[] decoded = new double[4];
    codec.decode(MemorySegment.ofArray(bytes), 0, 4, decoded);
    assertThat(decoded).containsExactly(values);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 8191, 8192, 8193, 20_000})
  void firstNonFiniteOnBothSidesOfAChunk(int at) {
    byte[] bytes = new byte[2 * 20_001];
    bytes[2 * at] = (byte) 0x80;
    bytes[2 * at + 1] = (byte) 0xFF;
    FloatCodec codec = codec(DType.BF16);
    assertThat(codec.firstNonFinite(MemorySegment.ofArray(bytes), 20_001)).contains((long) at);
    assertThat(codec.firstNonFinite(MemorySegment.ofArray(bytes), at)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "C64", "I64", "U64"})
  void othersAreRawBytes(DType type) {
    byte[] bytes = new byte[2 * type.bits() / 8];
    bytes[bytes.length - 1] = (byte) 0xFF;
    TensorInfo info = new TensorInfo("t", type, Shape.of(2));
    TensorView view = new TensorView(info, MemorySegment.ofArray(bytes));
    assertThat(type.isFloat()).isFalse();
    assertThat(FloatCodec.of(type)).isEmpty();
    assertThat(view.firstNonFinite()).isEmpty();
    assertThat(view.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
    assertThatThrownBy(view::toFloats)
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("[t]", type.label());
    assertThatThrownBy(() -> view.read(0, 1, new double[1]))
        .isInstanceOf(UnsupportedException.class);
  }

  private static FloatCodec codec(DType type) {
    return FloatCodec.of(type).orElseThrow();
  }

  private static byte[] bytes(DType type, double value) {
    byte[] bytes = new byte[type.bits() / 8];
    MemorySegment target = MemorySegment.ofArray(bytes);
    assertThat(codec(type).encode(new double[] {value}, 1, target, 0)).isEqualTo(-1);
    return target.toArray(ValueLayout.JAVA_BYTE);
  }
}
