package dev.smelt.gpu.data;

import dev.smelt.formats.UsageException;
import java.util.EnumSet;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Which part of the data is used, and how it is made ready.
 *
 * @param seqLen tokens of a window and longest sequence; the network's maximum when empty
 * @param samples examples to use; all when empty
 * @param shuffleSeed draw the samples with this seed instead of taking the first; those drawn stay
 *     in file order
 * @param size what images are brought to; when empty they must have the right size
 * @param normalization of the values of images; as they are, 0 to 1, when empty
 * @param maskRate probability with which a token is hidden, for masked language models; 0.15 when
 *     empty
 * @param maskSeed of the tokens hidden; 0 when empty
 */
public record DataOptions(
    OptionalInt seqLen,
    OptionalInt samples,
    OptionalLong shuffleSeed,
    Optional<ImageSize> size,
    Optional<Normalization> normalization,
    OptionalDouble maskRate,
    OptionalLong maskSeed) {

  /** Those that change something in some kinds of data only. */
  enum Special {
    SEQ_LEN("--seq-len"),
    SIZE("--size"),
    NORMALIZE("--normalize"),
    MASK_RATE("--mask-rate"),
    MASK_SEED("--mask-seed");

    private final String name;

    Special(String name) {
      this.name = name;
    }
  }

  /** Everything, as long as the network allows. */
  public static final DataOptions ALL =
      new DataOptions(
          OptionalInt.empty(),
          OptionalInt.empty(),
          OptionalLong.empty(),
          Optional.empty(),
          Optional.empty(),
          OptionalDouble.empty(),
          OptionalLong.empty());

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
    if (maskRate.isPresent() && !(maskRate.getAsDouble() > 0 && maskRate.getAsDouble() <= 1)) {
      throw new UsageException(
          "--mask-rate " + maskRate.getAsDouble() + " is no share of tokens",
          "use more than 0 and at most 1");
    }
  }

  /**
   * Refuses what would change nothing in this data.
   *
   * @param what the data, for a person
   * @param effective those that do change something
   */
  void requireEffect(String what, Set<Special> effective) {
    for (Special option : given()) {
      if (!effective.contains(option)) {
        throw new UsageException(option.name + " has no effect on " + what, "leave it out");
      }
    }
  }

  private Set<Special> given() {
    Set<Special> given = EnumSet.noneOf(Special.class);
    add(given, Special.SEQ_LEN, seqLen.isPresent());
    add(given, Special.SIZE, size.isPresent());
    add(given, Special.NORMALIZE, normalization.isPresent());
    add(given, Special.MASK_RATE, maskRate.isPresent());
    add(given, Special.MASK_SEED, maskSeed.isPresent());
    return given;
  }

  private static void add(Set<Special> given, Special option, boolean isGiven) {
    if (isGiven) {
      given.add(option);
    }
  }

  public DataOptions withSeqLen(int tokens) {
    return new DataOptions(
        OptionalInt.of(tokens), samples, shuffleSeed, size, normalization, maskRate, maskSeed);
  }

  public DataOptions withSamples(int count) {
    return new DataOptions(
        seqLen, OptionalInt.of(count), shuffleSeed, size, normalization, maskRate, maskSeed);
  }

  public DataOptions withShuffle(long seed) {
    return new DataOptions(
        seqLen, samples, OptionalLong.of(seed), size, normalization, maskRate, maskSeed);
  }

  /** For images. */
  public DataOptions withSize(ImageSize pixels) {
    return new DataOptions(
        seqLen, samples, shuffleSeed, Optional.of(pixels), normalization, maskRate, maskSeed);
  }

  /** For images. */
  public DataOptions withNormalization(Normalization values) {
    return new DataOptions(
        seqLen, samples, shuffleSeed, size, Optional.of(values), maskRate, maskSeed);
  }

  /** For masked language models. */
  public DataOptions withMaskRate(double rate) {
    return new DataOptions(
        seqLen, samples, shuffleSeed, size, normalization, OptionalDouble.of(rate), maskSeed);
  }

  /** For masked language models. */
  public DataOptions withMaskSeed(long seed) {
    return new DataOptions(
        seqLen, samples, shuffleSeed, size, normalization, maskRate, OptionalLong.of(seed));
  }
}
