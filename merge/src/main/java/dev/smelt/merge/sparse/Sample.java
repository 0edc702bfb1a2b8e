package dev.smelt.merge.sparse;

import dev.smelt.merge.sparse.Largest.Bracket;
import java.util.Arrays;

/** Some keys of a tensor, from places all over it that only depend on its size. */
final class Sample {

  /** Neighbours read together, since a place costs more to get to than to read. */
  private static final int RUN = 8;

  private static final int FEWEST = 1 << 14;
  private static final int MOST = 1 << 18;

  /** One key in so many, within these limits. */
  private static final int ONE_IN = 256;

  /** Ranks in a sample scatter; the bracket is this many standard deviations to either side. */
  private static final double DEVIATIONS = 4;

  /** Ranks to either side in any case. */
  private static final int MARGIN = 8;

  private Sample() {}

  /**
   * Where the limit of the largest should be.
   *
   * @param count how many of all keys, at least 1
   */
  static Bracket bracket(Keys keys, long count) {
    double[] sorted = draw(keys);
    Arrays.sort(sorted);
    double share = (double) count / keys.elements();
    double above = share * sorted.length;
    double spread = MARGIN + DEVIATIONS * Math.sqrt(sorted.length * share * (1 - share));
    long high = sorted.length - (long) (above - spread);
    long low = sorted.length - 1 - (long) (above + spread);
    return new Bracket(
        low < 0 ? Bracket.UNDER_ALL : Double.doubleToRawLongBits(sorted[(int) low]),
        high >= sorted.length ? Bracket.OVER_ALL : Double.doubleToRawLongBits(sorted[(int) high]));
  }

  private static double[] draw(Keys keys) {
    long elements = keys.elements();
    int runs = (int) Math.min(Math.clamp(elements / ONE_IN, FEWEST, MOST), elements) / RUN;
    double[] sample = new double[runs * RUN];
    double[] run = new double[RUN];
    long stride = elements / runs;
    for (int i = 0; i < runs; i++) {
      // Not at equal distances, which may be those of columns.
      long shift = Long.remainderUnsigned(Draws.mix(i + 1), stride - RUN + 1);
      keys.read(i * stride + shift, RUN, run);
      System.arraycopy(run, 0, sample, i * RUN, RUN);
    }
    return sample;
  }
}
