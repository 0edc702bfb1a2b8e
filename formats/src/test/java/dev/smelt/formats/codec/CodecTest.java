package dev.smelt.formats.codec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.codec.Oracle.Finite;
import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every code of every narrow type, and the rounding to it, against {@link Oracle}. */
class CodecTest {

  private static final long SEED = 42;

  /** The search through the codes of a 16-bit type takes milliseconds. */
  private static final int RANDOM_VALUES = 500;

  private static final int RANDOM_VALUES_OF_16_BITS = 60;

  /** Ties of the 16-bit types are looked at for every this many codes. */
  private static final int STRIDE = 97;

  static List<Oracle> types() {
    return Oracle.ALL;
  }

  @ParameterizedTest
  @MethodSource("types")
  void everyCodeDecodesAsDefined(Oracle type) {
    double[] wide = new double[type.codes()];
    float[] narrow = new float[type.codes()];
    codec(type).decode(allCodes(type), 0, type.codes(), wide);
    codec(type).decode(allCodes(type), 0, type.codes(), narrow);
    // As bits, for zeros have a sign and NaN equals nothing.
    long[] expected =
        IntStream.range(0, type.codes()).mapToLong(code -> bits(type.value(code))).toArray();
    assertThat(Arrays.stream(wide).mapToLong(CodecTest::bits).toArray()).isEqualTo(expected);
    for (int code = 0; code < type.codes(); code++) {
      wide[code] = narrow[code];
    }
    assertThat(Arrays.stream(wide).mapToLong(CodecTest::bits).toArray()).isEqualTo(expected);
  }

  @ParameterizedTest
  @MethodSource("types")
  void everyCodeComesBack(Oracle type) {
    FloatCodec codec = codec(type);
    double[] wide = new double[type.codes()];
    float[] narrow = new float[type.codes()];
    codec.decode(allCodes(type), 0, type.codes(), wide);
    codec.decode(allCodes(type), 0, type.codes(), narrow);
    List<Integer> lost = new ArrayList<>();
    for (int code = 0; code < type.codes(); code++) {
      int fromWide = encode(type, wide[code]);
      int fromNarrow = encode(type, narrow[code]);
      // Of NaN only that it is one is kept, not its sign and payload.
      boolean kept =
          Double.isNaN(type.value(code))
              ? Double.isNaN(type.value(fromWide)) && Double.isNaN(type.value(fromNarrow))
              : fromWide == code && fromNarrow == code;
      if (!kept) {
        lost.add(code);
      }
    }
    assertThat(lost).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("types")
  void tiesGoToTheEvenCode(Oracle type) {
    List<Finite> all = type.magnitudes();
    int stride = type.bits() > 8 ? STRIDE : 1;
    for (int i = 0; i + 1 < all.size(); i += stride) {
      double middle = middle(all.get(i).value(), all.get(i + 1).value());
      int even = all.get(i).code() % 2 == 0 ? all.get(i).code() : all.get(i + 1).code();
      assertThat(encode(type, middle)).as("%s", middle).isEqualTo(even);
      assertThat(encode(type, Math.nextDown(middle))).isEqualTo(all.get(i).code());
      assertThat(encode(type, Math.nextUp(middle))).isEqualTo(all.get(i + 1).code());
      if (type.signed()) {
        int sign = 1 << (type.bits() - 1);
        assertThat(encode(type, -middle)).isEqualTo(even | sign);
        assertThat(encode(type, -Math.nextUp(middle))).isEqualTo(all.get(i + 1).code() | sign);
      }
    }
  }

  /** As above, many at once: those next to a tie must not disturb each other. */
  @ParameterizedTest
  @MethodSource("types")
  void tiesGoToTheEvenCodeAmongOthers(Oracle type) {
    List<Finite> all = type.magnitudes();
    int pairs = Math.min(all.size() - 1, 2000);
    double[] values = new double[3 * pairs];
    int[] expected = new int[values.length];
    for (int k = 0; k < pairs; k++) {
      int i = (int) ((long) k * (all.size() - 1) / pairs);
      double middle = middle(all.get(i).value(), all.get(i + 1).value());
      values[3 * k] = Math.nextDown(middle);
      values[3 * k + 1] = middle;
      values[3 * k + 2] = Math.nextUp(middle);
      expected[3 * k] = all.get(i).code();
      expected[3 * k + 1] = all.get(i).code() % 2 == 0 ? all.get(i).code() : all.get(i + 1).code();
      expected[3 * k + 2] = all.get(i + 1).code();
    }
    assertThat(encode(type, values)).isEqualTo(expected);
  }

  @ParameterizedTest
  @MethodSource("types")
  void anyNumberGoesToTheNearestCode(Oracle type) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Finite> all = type.magnitudes();
    int low = Math.getExponent(all.get(1).value().doubleValue()) - 3;
    int high = Math.getExponent(all.getLast().value().doubleValue()) + 2;
    int values = type.bits() > 8 ? RANDOM_VALUES_OF_16_BITS : RANDOM_VALUES;
    for (int i = 0; i < values; i++) {
      double value = Math.scalb(random.nextDouble(1, 2), random.nextInt(low, high));
      value = random.nextBoolean() ? value : -value;
      assertThat(encode(type, value))
          .as("seed %d, value %s", SEED, value)
          .isEqualTo(type.nearest(value, all));
      float narrow = (float) Math.clamp(value, -Float.MAX_VALUE, Float.MAX_VALUE);
      assertThat(encode(type, narrow))
          .as("seed %d, f32 value %s", SEED, narrow)
          .isEqualTo(type.nearest(narrow, all));
    }
  }

  @ParameterizedTest
  @MethodSource("types")
  void beyondTheLargestIsOutOfRange(Oracle type) {
    List<Finite> all = type.magnitudes();
    Finite largest = all.getLast();
    double middle = middle(largest.value(), type.beyond());
    boolean tieStays = largest.code() % 2 == 0;
    assertThat(encode(type, Math.nextDown(middle))).isEqualTo(largest.code());
    assertThat(encode(type, middle)).isEqualTo(tieStays ? largest.code() : -1);
    assertThat(encode(type, Math.nextUp(middle))).isEqualTo(-1);
    assertThat(encode(type, Double.MAX_VALUE)).isEqualTo(-1);
    assertThat(encode(type, -Double.MAX_VALUE)).isEqualTo(-1);
  }

  @ParameterizedTest
  @MethodSource("types")
  void zerosKeepTheirSign(Oracle type) {
    int sign = 1 << (type.bits() - 1);
    assertThat(encode(type, 0.0)).isEqualTo(type.signed() ? 0 : -1);
    assertThat(encode(type, -0.0)).isEqualTo(type.signed() ? sign : -1);
    assertThat(encode(type, 0f)).isEqualTo(type.signed() ? 0 : -1);
    assertThat(encode(type, -0f)).isEqualTo(type.signed() ? sign : -1);
    assertThat(encode(type, Double.MIN_VALUE)).isZero();
    assertThat(encode(type, -Double.MIN_VALUE)).isEqualTo(type.signed() ? sign : -1);
  }

  @ParameterizedTest
  @MethodSource("types")
  void specialValuesOnlyWhereTheTypeHasThem(Oracle type) {
    for (double infinity : new double[] {Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
      int wide = encode(type, infinity);
      assertThat(encode(type, (float) infinity)).isEqualTo(wide);
      if (type.infinities()) {
        assertThat(type.value(wide)).isEqualTo(infinity);
      } else {
        assertThat(wide).isEqualTo(-1);
      }
    }
    int wide = encode(type, Double.NaN);
    assertThat(encode(type, Float.NaN)).isEqualTo(wide);
    if (type.hasNaN()) {
      assertThat(type.value(wide)).isNaN();
    } else {
      assertThat(wide).isEqualTo(-1);
    }
  }

  /** Exact in f64 for all types here: the sum of neighbours has one bit more than they. */
  private static double middle(BigDecimal low, BigDecimal high) {
    BigDecimal half = low.add(high).divide(BigDecimal.TWO, MathContext.UNLIMITED);
    double middle = half.setScale(half.scale(), RoundingMode.UNNECESSARY).doubleValue();
    assertThat(new BigDecimal(middle)).isEqualByComparingTo(half);
    return middle;
  }

  private static long bits(double value) {
    return Double.doubleToLongBits(value);
  }

  private static FloatCodec codec(Oracle type) {
    return FloatCodec.of(type.dtype()).orElseThrow();
  }

  /** The code of one value, or -1. */
  private static int encode(Oracle type, double value) {
    MemorySegment target = MemorySegment.ofArray(new byte[2]);
    int bad = codec(type).encode(new double[] {value}, 1, target, 0);
    return bad < 0 ? Bits.get(target, 0, type.bits()) : -1;
  }

  private static int[] encode(Oracle type, double[] values) {
    MemorySegment target = MemorySegment.ofArray(new byte[2 * values.length]);
    assertThat(codec(type).encode(values, values.length, target, 0)).isEqualTo(-1);
    int[] codes = new int[values.length];
    Arrays.setAll(codes, i -> Bits.get(target, i, type.bits()));
    return codes;
  }

  private static int encode(Oracle type, float value) {
    MemorySegment target = MemorySegment.ofArray(new byte[2]);
    int bad = codec(type).encode(new float[] {value}, 1, target, 0);
    return bad < 0 ? Bits.get(target, 0, type.bits()) : -1;
  }

  private static MemorySegment allCodes(Oracle type) {
    List<Integer> codes = new ArrayList<>();
    for (int code = 0; code < type.codes(); code++) {
      codes.add(code);
    }
    return MemorySegment.ofArray(Bits.pack(codes, type.bits()));
  }
}
