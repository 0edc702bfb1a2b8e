package dev.smelt.formats.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Scales and integers against exact decimal arithmetic. */
class ScaledIntsTest {

  private static final long SEED = 91;
  private static final BigDecimal LARGEST = BigDecimal.valueOf(127);

  /** What was stored, by its bytes. */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  private record Stored(byte[] ints, byte[] scales) {

    static Stored of(double[] values, int rows) {
      Stored made = new Stored(new byte[values.length], new byte[rows * Float.BYTES]);
      ScaledInts.encode(
          "x", values, rows, MemorySegment.ofArray(made.ints), MemorySegment.ofArray(made.scales));
      return made;
    }

    float scale(int row) {
      return ByteBuffer.wrap(scales).order(ByteOrder.LITTLE_ENDIAN).getFloat(row * Float.BYTES);
    }
  }

  private static BigDecimal exact(double value) {
    return new BigDecimal(value);
  }

  /** The smallest f32 with 127·s ≥ max, found among f32 numbers by halving. */
  private static float smallestScale(double largest) {
    int low = 0;
    int high = Float.floatToRawIntBits(Float.MAX_VALUE);
    while (low < high) {
      int middle = (low + high) >>> 1;
      BigDecimal reach = exact(Float.intBitsToFloat(middle)).multiply(LARGEST);
      if (reach.compareTo(exact(largest)) >= 0) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return Float.intBitsToFloat(low);
  }

  /** x/s to the nearest integer, ties to even, in exact integers. */
  private static int quotient(double x, float s) {
    if (s == 0) {
      return 0;
    }
    // Both are multiples of 2^-1074.
    BigDecimal unit = BigDecimal.TWO.pow(1074);
    BigInteger dividend = exact(x).multiply(unit).toBigIntegerExact();
    BigInteger divisor = exact(s).multiply(unit).toBigIntegerExact();
    BigInteger[] parts = dividend.abs().divideAndRemainder(divisor);
    int order = parts[1].shiftLeft(1).compareTo(divisor);
    boolean up = order > 0 || (order == 0 && parts[0].testBit(0));
    return dividend.signum() * (parts[0].intValueExact() + (up ? 1 : 0));
  }

  private static void assertExact(double[] values, int rows) {
    Stored stored = Stored.of(values, rows);
    int width = values.length / rows;
    for (int row = 0; row < rows; row++) {
      double[] one = Arrays.copyOfRange(values, row * width, (row + 1) * width);
      double largest = Arrays.stream(one).map(Math::abs).max().orElse(0);
      float scale = stored.scale(row);
      assertThat(scale).as("scale for %s", largest).isEqualTo(smallestScale(largest));
      for (int j = 0; j < width; j++) {
        assertThat((int) stored.ints()[row * width + j])
            .as("%s / %s", one[j], scale)
            .isEqualTo(quotient(one[j], scale));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 1e-3, 1e30, 1e-38, 1e-42, 1e-44, 1e-300, 4.9e-324})
  void scalesAndIntegersAreTheNearest(double size) {
    SplittableRandom random = new SplittableRandom(SEED);
    int rows = 40;
    int width = 7;
    double[] values = new double[rows * width];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextGaussian() * size;
    }
    assertExact(values, rows);
  }

  /** With 127·s as its largest value a row has the scale s, and (k + ½)·s lies in the middle. */
  @Test
  void tiesGoToTheEvenInteger() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int round = 0; round < 30; round++) {
      float scale = (float) Math.scalb(1 + random.nextDouble(), -10 * round / 2);
      double[] values = new double[3 * 127 + 1];
      values[0] = 127.0 * scale;
      for (int k = 0; k < 127; k++) {
        double middle = (k + 0.5) * scale;
        values[1 + 3 * k] = (round & 1) == 0 ? middle : -middle;
        values[2 + 3 * k] = Math.nextUp(middle);
        values[3 + 3 * k] = -Math.nextDown(middle);
      }
      Stored stored = Stored.of(values, 1);
      assertThat(stored.scale(0)).isEqualTo(scale);
      for (int k = 0; k < 127; k++) {
        int even = (k & 1) == 0 ? k : k + 1;
        assertThat(Math.abs(stored.ints()[1 + 3 * k])).isEqualTo(even);
        assertThat((int) stored.ints()[2 + 3 * k]).isEqualTo(k + 1);
        assertThat((int) stored.ints()[3 + 3 * k]).isEqualTo(-k);
      }
    }
  }

  @Test
  void rowsOfZerosHaveTheScaleZero() {
    Stored stored = Stored.of(new double[] {0, -0.0, 0, 1, -1, 0.5}, 2);
    assertThat(stored.scale(0)).isZero();
    assertThat(stored.ints()).containsExactly(0, 0, 0, 127, -127, 63);
  }

  @Test
  void theEndsOfF32AreReachedAndNotPassed() {
    double largest = 127.0 * Math.nextDown(Float.MAX_VALUE / 127);
    assertExact(new double[] {largest, -largest, 1, Float.MIN_VALUE}, 1);
    for (double beyond : new double[] {1e39, Double.MAX_VALUE, 3.5e38}) {
      assertThatThrownBy(() -> Stored.of(new double[] {1, 2, 3, -beyond}, 2))
          .isInstanceOf(LimitException.class)
          .hasMessageContainingAll("[x]", "value out of range");
    }
    for (double none : new double[] {Double.NaN, Double.NEGATIVE_INFINITY}) {
      assertThatThrownBy(() -> Stored.of(new double[] {1, 2, 3, none}, 2))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContainingAll("[x]", "at index 3");
    }
  }

  /** Every integer, −128 too, times scales of every kind, in parts that begin and end in rows. */
  @Test
  void valuesAreProductsRoundedOnce() {
    float[] scales = {0, 1, 0.1f, Float.MIN_VALUE, 1e-40f, 3e36f, 2.6e36f};
    int width = 256;
    byte[] ints = new byte[scales.length * width];
    ByteBuffer stored = ByteBuffer.allocate(scales.length * Float.BYTES);
    stored.order(ByteOrder.LITTLE_ENDIAN);
    for (int row = 0; row < scales.length; row++) {
      stored.putFloat(scales[row]);
      for (int j = 0; j < width; j++) {
        ints[row * width + j] = (byte) (j - 128);
      }
    }
    MemorySegment ofInts = MemorySegment.ofArray(ints);
    MemorySegment ofScales = MemorySegment.ofArray(stored.array());
    for (int first : new int[] {0, 1, 255, 256, 700}) {
      for (int count : new int[] {0, 1, 256, 300, ints.length - first}) {
        int fitting = Math.min(count, ints.length - first);
        double[] wide = new double[fitting];
        float[] narrow = new float[fitting];
        ScaledInts.decode(ofInts, ofScales, width, first, fitting, wide);
        ScaledInts.decode(ofInts, ofScales, width, first, fitting, narrow);
        for (int i = 0; i < fitting; i++) {
          int at = first + i;
          BigDecimal product =
              exact(scales[at / width]).multiply(BigDecimal.valueOf(ints[at] + 0L));
          assertThat(exact(wide[i])).isEqualByComparingTo(product);
          assertThat(narrow[i]).isEqualTo(product.floatValue() + 0f);
        }
      }
    }
  }

  @Test
  void noValueIsFartherThanHalfAScale() {
    SplittableRandom random = new SplittableRandom(SEED);
    double[] values = new double[600];
    Arrays.setAll(values, i -> random.nextGaussian() * Math.exp(i / 60.0));
    Stored stored = Stored.of(values, 10);
    double[] found = new double[600];
    ScaledInts.decode(
        MemorySegment.ofArray(stored.ints()),
        MemorySegment.ofArray(stored.scales()),
        60,
        0,
        600,
        found);
    for (int i = 0; i < 600; i++) {
      BigDecimal half =
          exact(stored.scale(i / 60)).divide(BigDecimal.TWO, 400, RoundingMode.UNNECESSARY);
      assertThat(exact(values[i]).subtract(exact(found[i])).abs()).isLessThanOrEqualTo(half);
    }
  }
}
