package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Spends bytes over all layers so that the predicted loss Σ w_ℓ Σ_{k>r} σ_k² is least. A layer's
 * options are its ranks and staying dense, which loses nothing; the loss per byte that each step of
 * its lower convex hull saves falls from step to step. So taking the steps of all layers in falling
 * order of that, while the bytes last, is optimal for every budget at which it stops; what is left
 * then is spent in single ranks.
 */
final class GlobalAllocation {

  private static final String KEPT = "that saves most of the predicted loss";

  private final List<SpectralLayer> layers;
  private final RankGrid grid;
  private final List<List<Option>> options;

  /**
   * One thing to do with a layer.
   *
   * @param rank 0: dense
   * @param loss predicted, in a unit that all layers share
   */
  private record Option(int rank, long bytes, double loss) {}

  /** From one option of a layer to another. */
  private record Step(int layer, Option from, Option to) {
    double gain() {
      return (from.loss() - to.loss()) / (to.bytes() - from.bytes());
    }

    long bytes() {
      return to.bytes() - from.bytes();
    }
  }

  GlobalAllocation(List<SpectralLayer> layers, RankGrid grid) {
    this.layers = layers;
    this.grid = grid;
    double largest = layers.stream().mapToDouble(one -> one.spectrum().norm()).max().orElse(1);
    double unit = largest == 0 ? 1 : largest;
    this.options = layers.stream().map(one -> options(one, unit)).toList();
  }

  /** By bytes, rising; losses fall. */
  private List<Option> options(SpectralLayer one, double unit) {
    double[] tails = one.spectrum().tails();
    double norm = one.spectrum().norm() / unit;
    double scale = one.lossPerEnergy() * norm * norm;
    List<Option> all = new ArrayList<>();
    for (int rank = grid.multiple(); rank <= grid.largest(one.layer()); rank += grid.multiple()) {
      long bytes = one.bytesAt(rank);
      if (bytes < one.denseBytes()) {
        all.add(new Option(rank, bytes, scale * tails[rank]));
      }
    }
    all.add(new Option(0, one.denseBytes(), 0));
    return all;
  }

  /** Of the smallest factors of all layers: what no budget may be below. */
  long leastBytes() {
    return options.stream().mapToLong(one -> one.getFirst().bytes()).sum();
  }

  /**
   * @param bytes for all layers
   * @param what the user asked for, for the message
   * @throws UsageException when even the smallest factors take more
   */
  List<RankChoice> within(long bytes, String what) {
    List<Option> chosen = new ArrayList<>(options.stream().map(List::getFirst).toList());
    long left = bytes - chosen.stream().mapToLong(Option::bytes).sum();
    if (left < 0) {
      throw new UsageException(
          what
              + " is too small: the smallest factors of all matrices take "
              + -left
              + " bytes more",
          "raise it or --exclude matrices");
    }
    left = take(hullSteps(), chosen, left);
    take(singleSteps(chosen), chosen, left);
    return choices(chosen);
  }

  /** Steps in falling order of gain; a layer whose next step does not fit takes no more. */
  private long take(List<Step> steps, List<Option> chosen, long bytes) {
    List<Step> sorted = new ArrayList<>(steps);
    // Stable, so that equal gains are taken in the order of layers and ranks.
    sorted.sort(Comparator.comparingDouble(Step::gain).reversed());
    long left = bytes;
    for (Step step : sorted) {
      boolean next = chosen.get(step.layer()).equals(step.from());
      if (next && step.bytes() <= left) {
        chosen.set(step.layer(), step.to());
        left -= step.bytes();
      }
    }
    return left;
  }

  private List<Step> hullSteps() {
    List<Step> steps = new ArrayList<>();
    for (int i = 0; i < options.size(); i++) {
      List<Option> hull = hull(options.get(i));
      for (int k = 1; k < hull.size(); k++) {
        steps.add(new Step(i, hull.get(k - 1), hull.get(k)));
      }
    }
    return steps;
  }

  /** Andrew's monotone chain, the lower half. */
  private static List<Option> hull(List<Option> options) {
    List<Option> hull = new ArrayList<>();
    for (Option option : options) {
      while (hull.size() > 1 && isAbove(hull.get(hull.size() - 2), hull.getLast(), option)) {
        hull.removeLast();
      }
      hull.add(option);
    }
    return hull;
  }

  /** Whether {@code middle} lies above the line from {@code first} to {@code last}. */
  private static boolean isAbove(Option first, Option middle, Option last) {
    double before = (first.loss() - middle.loss()) * (last.bytes() - middle.bytes());
    double after = (middle.loss() - last.loss()) * (middle.bytes() - first.bytes());
    return before < after;
  }

  private List<Step> singleSteps(List<Option> chosen) {
    List<Step> steps = new ArrayList<>();
    for (int i = 0; i < options.size(); i++) {
      List<Option> all = options.get(i);
      for (int k = all.indexOf(chosen.get(i)) + 1; k < all.size(); k++) {
        steps.add(new Step(i, all.get(k - 1), all.get(k)));
      }
    }
    return steps;
  }

  private List<RankChoice> choices(List<Option> chosen) {
    List<RankChoice> choices = new ArrayList<>();
    for (int i = 0; i < chosen.size(); i++) {
      Layer layer = layers.get(i).layer();
      int rank = chosen.get(i).rank();
      if (rank > 0) {
        choices.add(new RankChoice.Factors(rank));
      } else {
        boolean none = options.get(i).size() == 1;
        choices.add(
            new RankChoice.Dense(
                none ? "no factors of " + layer.module() + " would be smaller" : KEPT));
      }
    }
    return choices;
  }
}
