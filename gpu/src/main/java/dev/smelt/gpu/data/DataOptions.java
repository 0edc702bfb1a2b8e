package dev.smelt.gpu.data;

import dev.smelt.formats.UsageException;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Which part of the data is used.
 *
 * @param seqLen tokens of a window and longest sequence; the network's maximum when empty
 * @param samples examples to use; all when empty
 * @param shuffleSeed draw the samples with this seed instead of taking the first; those drawn stay
 *     in file order
 */
public record DataOptions(OptionalInt seqLen, OptionalInt samples, OptionalLong shuffleSeed) {

  /** Everything, as long as the network allows. */
  public static final DataOptions ALL =
      new DataOptions(OptionalInt.empty(), OptionalInt.empty(), OptionalLong.empty());

  public DataOptions {
    if (seqLen.isPresent() && seqLen.getAsInt() < 1) {
      throw new UsageException("--seq-len " + seqLen.getAsInt() + " is too short", "use 1 or more");
    }
    if (samples.isPresent() && samples.getAsInt() < 1) {
      throw new UsageException("--samples " + samples.getAsInt() + " is too few", "use 1 or more");
    }
    if (shuffleSeed.isPresent() && samples.isEmpty()) {
      throw new UsageException(
          "--shuffle without --samples changes nothing", "say how many with --samples");
    }
  }

  public DataOptions withSeqLen(int tokens) {
    return new DataOptions(OptionalInt.of(tokens), samples, shuffleSeed);
  }

  public DataOptions withSamples(int count) {
    return new DataOptions(seqLen, OptionalInt.of(count), shuffleSeed);
  }

  public DataOptions withShuffle(long seed) {
    return new DataOptions(seqLen, samples, OptionalLong.of(seed));
  }
}
