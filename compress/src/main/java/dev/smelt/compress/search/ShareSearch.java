package dev.smelt.compress.search;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/**
 * Looks for the smallest share of a model at which the measured loss stays within a limit, by
 * bisection: each try costs an evaluation. It takes for granted that more means less loss; what it
 * returns has been measured in any case.
 */
public final class ShareSearch {

  /** Ten halvings find the share to a thousandth. */
  private static final int MAX_TRIES = 10;

  /** Shares closer than this are taken for equal. */
  private static final double RESOLUTION = 0.004;

  /** Shares are thousandths, which users can type. */
  private static final double STEPS = 1000;

  private final DoubleFunction<Outcome> measure;
  private final List<Try> tries = new ArrayList<>();

  /**
   * What a share of the model gives.
   *
   * @param bytes of all tensors
   */
  public record Outcome(long bytes, double loss) {}

  /** One share and what it gave. */
  public record Try(double share, long bytes, double loss, boolean within) {}

  /**
   * What was found.
   *
   * @param share 1 where nothing smaller stays within the limit
   * @param tries in the order in which they were made
   */
  public record Found(double share, List<Try> tries) {
    public Found {
      tries = List.copyOf(tries);
    }
  }

  public ShareSearch(DoubleFunction<Outcome> measure) {
    this.measure = measure;
  }

  /**
   * @param least share that makes sense
   * @param limit the largest loss allowed
   */
  public Found smallestWithin(double least, double limit) {
    double below = least;
    double within = 1;
    while (tries.size() < MAX_TRIES && within - below > RESOLUTION) {
      double share = Math.ceil((below + within) / 2 * STEPS) / STEPS;
      Outcome found = measure.apply(share);
      boolean good = found.loss() <= limit;
      tries.add(new Try(share, found.bytes(), found.loss(), good));
      if (good) {
        within = share;
      } else {
        below = share;
      }
    }
    return new Found(within, tries);
  }
}
