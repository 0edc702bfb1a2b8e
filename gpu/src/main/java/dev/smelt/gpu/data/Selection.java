package dev.smelt.gpu.data;

import dev.smelt.formats.UsageException;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Picks examples by number. */
final class Selection {

  private Selection() {}

  /**
   * The numbers of the examples to use, rising.
   *
   * @param available examples that the file has
   * @param where the file, for the refusal
   * @throws UsageException when more are asked for than there are
   */
  static int[] of(int available, DataOptions options, String where) {
    int count = options.samples().orElse(available);
    if (count > available) {
      throw new UsageException(
          "--samples " + count + " asks for more than the " + available + " examples of " + where,
          "ask for at most " + available);
    }
    if (options.shuffleSeed().isEmpty()) {
      return IntStream.range(0, count).toArray();
    }
    return drawn(available, count, options.shuffleSeed().getAsLong());
  }

  /** {@code count} out of {@code available} without replacement (Fisher and Yates), sorted. */
  private static int[] drawn(int available, int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] numbers = IntStream.range(0, available).toArray();
    for (int i = 0; i < count; i++) {
      int other = random.nextInt(i, available);
      int kept = numbers[i];
      numbers[i] = numbers[other];
      numbers[other] = kept;
    }
    return IntStream.of(numbers).limit(count).sorted().toArray();
  }
}
