package dev.smelt.compress.factorize;

import dev.smelt.compress.search.ShareSearch;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Looks for the smallest {@link TotalKeep} at which the measured loss stays within a limit. */
public final class LossSearch {

  private final Factorizer factorizer;
  private final ToDoubleFunction<FactoredModel> loss;

  /**
   * What was found.
   *
   * @param policy that gives it again; a share of 1 where nothing smaller stays within the limit
   * @param tries in the order in which they were made
   */
  public record Found(TotalKeep policy, List<ShareSearch.Try> tries) {
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
    ShareSearch.Found found =
        new ShareSearch(this::measure).smallestWithin(factorizer.leastKeep(), limit);
    return new Found(new TotalKeep(found.share()), found.tries());
  }

  private ShareSearch.Outcome measure(double share) {
    FactoredModel model = factorizer.fit(new TotalKeep(share));
    return new ShareSearch.Outcome(model.bytes(), loss.applyAsDouble(model));
  }
}
