package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;

/**
 * How many examples go through the network at a time. It changes memory and speed, and results only
 * in their last digits.
 *
 * @param most the largest batch
 * @param memoryBytes what the process may take in memory; a batch is made smaller to stay within
 */
public record BatchSize(int most, long memoryBytes) {

  /** What a Java machine and libtorch take before the first weight is loaded. */
  private static final long RUNTIME_BYTES = 640L << 20;

  public BatchSize {
    if (most < 1) {
      throw new UsageException("--batch " + most + " is too few", "use 1 or more");
    }
  }

  /** That many, whatever memory they take. */
  public static BatchSize exactly(int examples) {
    return new BatchSize(examples, Long.MAX_VALUE);
  }

  /**
   * The batch for a network.
   *
   * @param fixed bytes that do not depend on the batch: weights and the largest temporary
   * @param perExample bytes that the longest example takes
   * @throws UsageException when not even one example fits
   */
  int examples(long fixed, long perExample) {
    if (memoryBytes == Long.MAX_VALUE) {
      return most;
    }
    long free = memoryBytes - RUNTIME_BYTES - fixed;
    if (free < perExample) {
      throw new UsageException(
          "memory of %,d MB is too little: about %,d MB are needed for one example"
              .formatted(memoryBytes >> 20, (RUNTIME_BYTES + fixed + perExample) >> 20),
          "use a larger --memory or a smaller --seq-len");
    }
    return (int) Math.min(most, free / Math.max(1, perExample));
  }
}
