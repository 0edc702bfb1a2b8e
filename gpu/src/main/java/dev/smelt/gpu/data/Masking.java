package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Hides tokens as BERT's training does (Devlin et al. 2019, section 3.1): every token is drawn with
 * the same probability; of those drawn 80 % become the mask token, 10 % any token, and 10 % stay.
 * All of them are to be predicted. Special tokens are never drawn and never put in. Unlike BERT's,
 * an example of which no token was drawn gets one, so that none is without a prediction.
 *
 * @param rate probability of each token
 * @param seed every example has draws of its own, which depend on its place in the file and not on
 *     what else is used
 * @param mask id of the mask token
 * @param vocabularySize of the network
 */
record Masking(double rate, long seed, int mask, int vocabularySize, Tokenizer tokenizer) {

  /** As in BERT. */
  private static final double RATE = 0.15;

  private static final double MASKED = 0.8;
  private static final double REPLACED = 0.1;

  /** The golden ratio in 64 bits, whose multiples are spread evenly (Steele et al. 2014). */
  private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

  /** Keeps these draws apart from others of the same seed: the bits of π after the point. */
  private static final long STREAM = 0x243f6a8885a308d3L;

  /**
   * @throws UnsupportedException when the tokenizer has no mask token
   */
  static Masking of(DataOptions options, Tokenizer tokenizer, int vocabularySize, String where) {
    int mask =
        tokenizer
            .maskToken()
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "no mask token",
                        where,
                        "expected [MASK] or <mask> in the tokenizer ("
                            + tokenizer.description()
                            + ") of a masked language model",
                        "save the model's own tokenizer in its folder"));
    new TokenIds(vocabularySize, Integer.MAX_VALUE)
        .requireKnown(new int[] {mask}, tokenizer, where);
    return new Masking(
        options.maskRate().orElse(RATE),
        options.maskSeed().orElse(0),
        mask,
        vocabularySize,
        tokenizer);
  }

  /**
   * @param index the example's place in the file
   * @throws CorruptException when all tokens are special
   */
  Example.Masked hide(long index, int[] tokens, int[] segments, String where) {
    int[] ordinary =
        IntStream.range(0, tokens.length).filter(t -> !tokenizer.isSpecial(tokens[t])).toArray();
    if (ordinary.length == 0) {
      throw new CorruptException("text without tokens", where, "none could be hidden", "");
    }
    SplittableRandom random = generator(index);
    int[] drawn = IntStream.of(ordinary).filter(_ -> random.nextDouble() < rate).toArray();
    if (drawn.length == 0) {
      drawn = new int[] {ordinary[random.nextInt(ordinary.length)]};
    }
    int[] ids = tokens.clone();
    int[] targets = new int[tokens.length];
    Arrays.fill(targets, Batch.NO_TARGET);
    for (int t : drawn) {
      targets[t] = tokens[t];
      ids[t] = instead(tokens[t], random);
    }
    return new Example.Masked(ids, segments, targets);
  }

  private int instead(int token, SplittableRandom random) {
    double u = random.nextDouble();
    if (u < MASKED) {
      return mask;
    }
    if (u >= MASKED + REPLACED) {
      return token;
    }
    int other = random.nextInt(vocabularySize);
    while (tokenizer.isSpecial(other)) { // ends: the token drawn is not special
      other = random.nextInt(vocabularySize);
    }
    return other;
  }

  /**
   * The constructor of {@link SplittableRandom} does not scatter its seed, so neighbours would run
   * through the same numbers; the first number of a generator does.
   */
  private SplittableRandom generator(long index) {
    long place = (seed ^ STREAM) + index * GOLDEN_GAMMA;
    return new SplittableRandom(new SplittableRandom(place).nextLong());
  }
}
