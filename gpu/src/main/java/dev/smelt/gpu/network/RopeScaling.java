package dev.smelt.gpu.network;

import dev.smelt.gpu.layer.RotaryFrequencies;

/**
 * The frequencies of rotary position embedding, plain and stretched to texts longer than those of
 * the training. Throughout n = dims / 2 pairs of features, and f_i = θ^(−2i/dims) unless stretched.
 */
final class RopeScaling {

  private RopeScaling() {}

  private static double[] plain(double theta, int dims) {
    double[] f = new double[dims / 2];
    for (int i = 0; i < f.length; i++) {
      f[i] = Math.pow(theta, -2.0 * i / dims);
    }
    return f;
  }

  /**
   * f_i / factor. With factor 1 this is the embedding as Su et al. (2021) give it, with another the
   * linear interpolation of positions (Chen et al. 2023).
   */
  record Linear(double theta, int dims, double factor) implements RotaryFrequencies {

    @Override
    public double[] of(int length) {
      double[] f = plain(theta, dims);
      for (int i = 0; i < f.length; i++) {
        f[i] /= factor;
      }
      return f;
    }
  }

  /**
   * Dynamic NTK: beyond M = {@code trained} tokens θ grows to θ (factor · length / M − factor +
   * 1)^(dims / (dims − 2)). The length is that of the sequence itself, whatever its neighbours in
   * the batch.
   */
  record Dynamic(double theta, int dims, double factor, int trained) implements RotaryFrequencies {

    @Override
    public double[] of(int length) {
      double stretch = factor * Math.max(length, trained) / trained - (factor - 1);
      return plain(theta * Math.pow(stretch, dims / (dims - 2.0)), dims);
    }
  }

  /**
   * That of Llama 3.1: with w = 2π / f_i the wavelength, pairs that turn more than {@code high}
   * times within {@code trained} tokens are kept, those that turn less than {@code low} times are
   * divided by the factor, and between the two the share that is kept grows linearly with the
   * number of turns.
   */
  record Llama3(double theta, int dims, double factor, double low, double high, int trained)
      implements RotaryFrequencies {

    @Override
    public double[] of(int length) {
      double[] f = plain(theta, dims);
      for (int i = 0; i < f.length; i++) {
        double turns = trained * f[i] / (2 * Math.PI);
        double kept = Math.clamp((turns - low) / (high - low), 0, 1);
        f[i] *= kept + (1 - kept) / factor;
      }
      return f;
    }
  }

  /**
   * YaRN (Peng et al. 2023): pair i is kept below the pair that turns {@code fast} times within
   * {@code trained} tokens, divided by the factor above the one that turns {@code slow} times, and
   * in between by a ramp over i.
   *
   * @param truncate whether the ends of the ramp are whole numbers
   */
  record Yarn(
      double theta,
      int dims,
      double factor,
      double fast,
      double slow,
      int trained,
      boolean truncate,
      double magnitude)
      implements RotaryFrequencies {

    @Override
    public double[] of(int length) {
      double first = pairThatTurns(fast);
      double last = pairThatTurns(slow);
      double begin = Math.max(truncate ? Math.floor(first) : first, 0);
      double end = Math.min(truncate ? Math.ceil(last) : last, dims - 1.0);
      // A ramp of no length would divide by zero; the number is that of transformers.
      double span = begin == end ? 0.001 : end - begin;
      double[] f = plain(theta, dims);
      for (int i = 0; i < f.length; i++) {
        double divided = Math.clamp((i - begin) / span, 0, 1);
        f[i] *= 1 - divided + divided / factor;
      }
      return f;
    }

    /** The i, not rounded, with f_i · trained = 2π · turns. */
    private double pairThatTurns(double turns) {
      return dims * Math.log(trained / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    /** 0.1 m ln(factor) + 1: by how much scores grow to make up for the longer text. */
    static double growth(double factor, double m) {
      return factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1;
    }
  }

  /**
   * LongRoPE (Ding et al. 2024): a divisor for each pair, one list for sequences of up to {@code
   * trained} tokens and another for longer ones.
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record LongRope(
      double theta,
      int dims,
      double[] shortDivisors,
      double[] longDivisors,
      int trained,
      double magnitude)
      implements RotaryFrequencies {

    @Override
    public double[] of(int length) {
      double[] divisors = length > trained ? longDivisors : shortDivisors;
      double[] f = plain(theta, dims);
      for (int i = 0; i < f.length; i++) {
        f[i] /= divisors[i];
      }
      return f;
    }

    /** √(1 + ln(factor) / ln(trained)). */
    static double growth(double factor, int trained) {
      return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
    }
  }
}
