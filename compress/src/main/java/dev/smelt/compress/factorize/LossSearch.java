package dev.smelt.compress.factorize;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Looks for the smallest share of bytes at which the measured loss stays within a limit, by
 * bisection: each try costs an evaluation and no decomposition. It takes for granted that more
 * bytes mean less loss; what it returns has been measured in any case.
 */
public final class LossSearch {

  /** Ten halvings find the share to a thousandth. */
  private static final int MAX_TRIES = 10;

  /** Shares closer than this are taken for equal. */
  private static final double RESOLUTION = 0.004;

  /** Shares are thousandths, which users can type. */
  private static final double STEPS = 1000;

  private final Factorizer factorizer;
  private final ToDoubleFunction<FactoredModel> loss;
  private final List<Try> tries = new ArrayList<>();

  /**
   * One share and what it gave.
   *
   * @param bytes of all tensors
   */
  public record Try(double share, long bytes, double loss, boolean within) {}

  /**
   * What was found.
   *
   * @param policy that gives it again; a share of 1 where nothing smaller stays within the limit
   * @param tries in the order in which they were made
   */
  public record Found(TotalKeep policy, List<Try> tries) {
    public Found {
      tries = List.copyOf(tries);
    }
  }

  public LossSearch(Factorizer factorizer, ToDoubleFunction<FactoredModel> loss) {
    this.factorizer = factorizer;
    this.loss = loss;
  }

  /**
   * @param limit the largest loss allowed
   */
  public Found smallestWithin(double limit) {
    double below = factorizer.leastKeep();
    double within = 1;
    while (tries.size() < MAX_TRIES && within - below > RESOLUTION) {
      double share = Math.ceil((below + within) / 2 * STEPS) / STEPS;
      if (isWithin(share, limit)) {
        within = share;
      } else {
        below = share;
      }
    }
    return new Found(new TotalKeep(within), tries);
  }

  private boolean isWithin(double share, double limit) {
    FactoredModel model = factorizer.fit(new TotalKeep(share));
    double found = loss.applyAsDouble(model);
    tries.add(new Try(share, model.bytes(), found, found <= limit));
    return found <= limit;
  }
}
