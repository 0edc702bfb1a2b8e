package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;

/**
 * How many examples go through the network at a time. It changes memory and speed, and results only
 * in their last digits.
 *
 * @param most the largest batch
 * @param memoryBytes what the process may take in memory; a batch is made smaller to stay within
 * @param strict whether to refuse when not even one example fits, or to try all the same
 */
public record BatchSize(int most, long memoryBytes, boolean strict) {

  /** What a Java machine and libtorch take before the first weight is loaded. */
  private static final long RUNTIME_BYTES = 640L << 20;

  public BatchSize {
    if (most < 1) {
      throw new UsageException("--batch " + most + " is too few", "use 1 or more");
    }
  }

  /** That many, whatever memory they take. */
  public static BatchSize exactly(int examples) {
    return new BatchSize(examples, Long.MAX_VALUE, false);
  }

  /**
   * The batch for a network.
   *
   * @param fixed bytes that do not depend on the batch: weights and the largest temporary
   * @param sums bytes of running sums in mapped files; they are counted up to a quarter of the
   *     memory, for the system can move the rest to disk
   * @param perExample bytes that the longest example takes
   * @throws UsageException when not even one example fits
   */
  int examples(long fixed, long sums, long perExample) {
    if (memoryBytes == Long.MAX_VALUE) {
      return most;
    }
    long needed = RUNTIME_BYTES + fixed + Math.min(sums, memoryBytes / 4);
    long free = memoryBytes - needed;
    if (free < perExample && strict) {
      throw new UsageException(
          "memory of %,d MB is too little: about %,d MB are needed for one example"
              .formatted(memoryBytes >> 20, (needed + perExample) >> 20),
          "use a larger --memory or a smaller --seq-len");
    }
    return (int) Math.max(1, Math.min(most, free / Math.max(1, perExample)));
  }
}
