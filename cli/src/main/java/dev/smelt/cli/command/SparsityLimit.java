package dev.smelt.cli.command;

import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.compress.search.ShareSearch;
import dev.smelt.formats.GateException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The largest sparsity at which the loss rises by no more than it may.
 *
 * @param notes what was tried
 * @param gate where there is none
 */
record SparsityLimit(double sparsity, List<String> notes, Optional<GateException> gate) {

  /**
   * @param increase of the loss, in nats
   * @param meter that knows the loss of the model before
   */
  static SparsityLimit find(Path model, double increase, Thinner thinner, LossMeter meter) {
    ShareSearch.Found found =
        new ShareSearch(
                kept -> {
                  try (ThinnedModel tried = thinner.thin(sparsity(kept))) {
                    return new ShareSearch.Outcome(tried.bytes(), meter.loss(tried));
                  }
                })
            .smallestWithin(1 - thinner.largest(), meter.denseLoss() + increase);
    Optional<GateException> gate =
        found.share() < 1 ? Optional.empty() : Optional.of(nothing(model, increase));
    return new SparsityLimit(sparsity(found.share()), describe(found, meter.denseLoss()), gate);
  }

  /** What goes where a share is kept; both are thousandths. */
  private static double sparsity(double kept) {
    return Math.round((1 - kept) * 1000) / 1000.0;
  }

  private static List<String> describe(ShareSearch.Found found, double before) {
    return found.tries().stream()
        .map(
            one ->
                "tried --sparsity %s: loss %+.4f%s"
                    .formatted(
                        sparsity(one.share()),
                        one.loss() - before,
                        one.within() ? "" : ", too much"))
        .toList();
  }

  private static GateException nothing(Path model, double increase) {
    return new GateException(
        "nothing can be pruned within the loss",
        model.toString(),
        "--max-loss-increase " + increase + " allows nothing",
        "the output is dense; allow more, or try another --criterion");
  }
}
