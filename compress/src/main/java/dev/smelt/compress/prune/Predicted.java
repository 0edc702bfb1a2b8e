package dev.smelt.compress.prune;

import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.List;

/** Sums of the scores of weights that go. */
final class Predicted {

  private static final int PART = 1 << 16;

  private Predicted() {}

  /** In one order, whatever the number of threads. */
  static double loss(PrunedLayer pruned, Criterion criterion, int threads) {
    Scores scores = criterion.of(pruned.layer());
    List<Long> parts = new ArrayList<>();
    for (long first = 0; first < pruned.mask().elements(); first += PART) {
      parts.add(first);
    }
    double sum = 0;
    for (double part : Workers.map(threads, parts, first -> sumOf(pruned.mask(), scores, first))) {
      sum += part;
    }
    return sum;
  }

  private static double sumOf(Mask mask, Scores scores, long first) {
    int count = (int) Math.min(PART, mask.elements() - first);
    double[] kept = new double[count];
    scores.read(first, count, kept);
    double[] all = kept.clone();
    mask.clear(first, count, kept);
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += all[i] - kept[i];
    }
    return sum;
  }
}
