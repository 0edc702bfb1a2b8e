package dev.smelt.merge.sparse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.merge.sparse.Largest.Bracket;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Which keys are the largest, against sorting all of them. */
class LargestTest {

  /** More than a chunk and less than two, so that ends of chunks are inside. */
  private static final int N = 20_011;

  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Values(double[] all) implements Keys {
    @Override
    public long elements() {
      return all.length;
    }

    @Override
    public void read(long first, int count, double[] keys) {
      System.arraycopy(all, (int) first, keys, 0, count);
    }
  }

  private static double[] fill(int n, IntToDoubleFunction value) {
    return IntStream.range(0, n).mapToDouble(value).toArray();
  }

  private static Stream<Arguments> keys() {
    SplittableRandom random = new SplittableRandom(17);
    return Stream.of(
        Arguments.of("normal", fill(N, _ -> Math.abs(random.nextGaussian()))),
        Arguments.of("all zero", fill(N, _ -> 0)),
        Arguments.of("all equal", fill(N, _ -> 0.3)),
        Arguments.of("two values", fill(N, k -> k % 3 == 0 ? 2 : 1)),
        Arguments.of("nine in ten zero", fill(N, _ -> Math.max(0, random.nextDouble() - 0.9))),
        Arguments.of("few values", fill(N, _ -> random.nextInt(7) * 0.125)),
        Arguments.of("rising", fill(N, k -> k)),
        Arguments.of("falling", fill(N, k -> N - k)),
        Arguments.of("falling with ties", fill(N, k -> Math.floorDiv(N - k, 100))),
        Arguments.of("one large", fill(N, k -> k == 12_345 ? 1 : 0)),
        Arguments.of(
            "all powers of two", fill(N, _ -> Math.scalb(1.0, random.nextInt(-1074, 1024)))),
        Arguments.of(
            "edges",
            fill(
                N,
                _ ->
                    new double[] {0, Double.MIN_VALUE, Double.MAX_VALUE, Double.POSITIVE_INFINITY}
                        [random.nextInt(4)])),
        Arguments.of("one run of large ones", fill(N, k -> k / 200 == 40 ? k : 1e-3 * k / N)));
  }

  private static boolean[] sorted(double[] keys, int count) {
    boolean[] largest = new boolean[keys.length];
    IntStream.range(0, keys.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer k) -> -keys[k]).thenComparingInt(k -> k))
        .limit(count)
        .forEach(k -> largest[k] = true);
    return largest;
  }

  private static boolean[] marked(Cut cut, double[] keys, int chunk) {
    boolean[] largest = new boolean[keys.length];
    for (int at = 0; at < keys.length; at += chunk) {
      int count = Math.min(chunk, keys.length - at);
      double[] above = Arrays.copyOfRange(keys, at, at + count);
      double[] below = above.clone();
      cut.above(at, count, above);
      cut.below(at, count, below);
      assertThat(Arrays.stream(above).sum() + Arrays.stream(below).sum()).isEqualTo(count);
      for (int k = 0; k < count; k++) {
        largest[at + k] = above[k] == 1 && below[k] == 0;
      }
    }
    return largest;
  }

  private static void assertLargest(Cut cut, double[] keys, int count) {
    boolean[] expected = sorted(keys, count);
    boolean[] found = marked(cut, keys, 512);
    for (int k = 0; k < keys.length; k++) {
      // Nothing depends on which zeros are taken.
      found[k] = keys[k] == 0 ? expected[k] : found[k];
    }
    assertThat(Arrays.mismatch(found, expected)).as("element that differs").isEqualTo(-1);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("keys")
  void theyAreThoseThatAreFirstWhenSorted(String name, double[] keys) {
    for (int count : new int[] {0, 1, 2, 199, 2001, N / 2, N - N / 100, N - 1, N}) {
      Values values = new Values(keys);
      assertLargest(Largest.of(values, count), keys, count);
      // By a sample, and where too much is between for its bracket.
      assertLargest(Largest.of(values, count, 0, N), keys, count);
      assertLargest(Largest.of(values, count, 0, 0), keys, count);
      if (count > 0) {
        assertLargest(Digits.cut(values, count), keys, count);
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("keys")
  void aBracketEitherHoldsTheLimitOrIsRefused(String name, double[] keys) {
    double[] sorted = keys.clone();
    Arrays.sort(sorted);
    int refused = 0;
    for (int low = 0; low < N; low += 5001) {
      for (int high = low; high < N; high += 7001) {
        Bracket bracket =
            new Bracket(
                Double.doubleToRawLongBits(sorted[low]), Double.doubleToRawLongBits(sorted[high]));
        Tally tally = Tally.of(new Values(keys), bracket, N).orElseThrow();
        for (int count : new int[] {1, 7000, N - 1}) {
          double limit = sorted[N - count];
          Optional<Cut> cut = tally.cut(count);
          assertThat(cut.isPresent()).isEqualTo(limit >= sorted[low] && limit <= sorted[high]);
          cut.ifPresent(found -> assertLargest(found, keys, count));
          refused += cut.isPresent() ? 0 : 1;
        }
      }
    }
    assertThat(refused == 0).isEqualTo(sorted[0] == sorted[N - 1]);
  }

  @Test
  void fewElementsAreCollectedAtOnce() {
    for (int n = 1; n < 40; n++) {
      SplittableRandom random = new SplittableRandom(n);
      double[] keys = fill(n, _ -> 1 + random.nextInt(4));
      for (int count = 0; count <= n; count++) {
        assertLargest(Largest.of(new Values(keys), count), keys, count);
      }
    }
  }

  @Test
  void itDoesNotMatterHowMuchIsMarkedAtATime() {
    double[] keys = fill(N, k -> k % 5);
    Cut cut = Largest.of(new Values(keys), 6000);
    boolean[] expected = marked(cut, keys, N);
    for (int chunk : new int[] {1, 8, 1000}) {
      assertThat(marked(cut, keys, chunk)).isEqualTo(expected);
    }
  }

  @Test
  void theSampleAlmostAlwaysBracketsTheLimitAndLeavesLittleBetween() {
    int n = 400_000;
    SplittableRandom random = new SplittableRandom(5);
    double[] keys = fill(n, _ -> Math.abs(random.nextGaussian()));
    double[] sorted = keys.clone();
    Arrays.sort(sorted);
    for (int count = 4000; count < n; count += 36_000) {
      Bracket bracket = Sample.bracket(new Values(keys), count);
      double low = Double.longBitsToDouble(Math.max(0, bracket.low()));
      double high = Double.longBitsToDouble(bracket.high());
      assertThat(sorted[n - count]).isBetween(low, high);
      assertThat(Arrays.stream(keys).filter(key -> key >= low && key <= high).count())
          .isLessThan(n / 20);
    }
  }

  @Test
  void selectionGivesWhatSortingGives() {
    SplittableRandom random = new SplittableRandom(3);
    for (int n : new int[] {1, 2, 3, 50, 1000}) {
      long[] values = random.longs(n, 0, n).toArray();
      long[] sorted = values.clone();
      Arrays.sort(sorted);
      for (int rank = 0; rank < n; rank += 1 + n / 20) {
        assertThat(Select.smallest(values.clone(), rank)).isEqualTo(sorted[rank]);
      }
    }
  }
}
