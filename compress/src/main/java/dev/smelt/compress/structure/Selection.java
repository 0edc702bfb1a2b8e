package dev.smelt.compress.structure;

import dev.smelt.compress.prune.Share;
import dev.smelt.formats.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Which units go: ⌊s·n⌋ of n, those with the smallest scores, of equal ones those that come first.
 * At least one of each layer stays.
 *
 * @param units for people: "heads"
 * @param multiple what stays of a layer is rounded up to a multiple of this
 * @param onTheWay to a larger share: where that is no multiple, all of the layer stays for now
 */
record Selection(String units, int multiple, boolean onTheWay) {

  private record Unit(int layer, int index, double score) {}

  private static final Comparator<Unit> SMALLEST_FIRST =
      Comparator.comparingDouble(Unit::score)
          .thenComparingInt(Unit::layer)
          .thenComparingInt(Unit::index);

  /**
   * @throws UsageException when it is no share that leaves anything
   */
  static void requireShare(double sparsity) {
    if (!(sparsity >= 0 && sparsity < 1)) {
      throw new UsageException("--sparsity must be in [0, 1), found " + sparsity, "");
    }
  }

  /** ⌊s·n⌋. */
  private static int count(double sparsity, int n) {
    return Math.toIntExact(Share.of(sparsity, n));
  }

  /**
   * The same share of each layer.
   *
   * @param scores by layer
   * @return those that go, by layer, ascending
   */
  List<int[]> ofEach(List<double[]> scores, double sparsity) {
    requireShare(sparsity);
    return scores.stream()
        .map(
            layer -> {
              int goes =
                  layer.length
                      - rounded(layer.length - count(sparsity, layer.length), layer.length);
              return sorted(layer).limit(goes).sorted().toArray();
            })
        .toList();
  }

  private static IntStream sorted(double[] scores) {
    return IntStream.range(0, scores.length)
        .mapToObj(i -> new Unit(0, i, scores[i]))
        .sorted(SMALLEST_FIRST)
        .mapToInt(Unit::index);
  }

  /** What stays, rounded up. */
  private int rounded(int stays, int n) {
    int up = Math.ceilDiv(stays, multiple) * multiple;
    if (up > n && stays < n && !onTheWay) {
      throw new UsageException(
          String.format(
              "%d of %d %s would stay, and no multiple of %d is in between",
              stays, n, units, multiple),
          "choose another --multiple, or a larger --sparsity");
    }
    return Math.min(up, n);
  }

  /**
   * A share of all layers together.
   *
   * @param scores by layer
   * @return those that go, by layer, ascending
   * @throws UsageException when layers would be left with nothing
   */
  List<int[]> overall(List<double[]> scores, double sparsity) {
    requireShare(sparsity);
    List<Unit> all = new ArrayList<>();
    int[] left = new int[scores.size()];
    for (int layer = 0; layer < left.length; layer++) {
      left[layer] = scores.get(layer).length;
      for (int i = 0; i < left[layer]; i++) {
        all.add(new Unit(layer, i, scores.get(layer)[i]));
      }
    }
    all.sort(SMALLEST_FIRST);
    int goes = count(sparsity, all.size());
    requireAtMost(goes, all.size() - left.length, all.size());
    List<List<Integer>> gone = new ArrayList<>();
    IntStream.range(0, left.length).forEach(layer -> gone.add(new ArrayList<>()));
    for (Unit unit : all) {
      if (goes > 0 && left[unit.layer()] > 1) {
        gone.get(unit.layer()).add(unit.index());
        left[unit.layer()]--;
        goes--;
      }
    }
    List<int[]> chosen = new ArrayList<>();
    for (int layer = 0; layer < left.length; layer++) {
      int n = scores.get(layer).length;
      // The largest of those that were to go come back: they were added last.
      chosen.add(
          gone.get(layer).stream()
              .limit(n - rounded(left[layer], n))
              .mapToInt(Integer::intValue)
              .sorted()
              .toArray());
    }
    return chosen;
  }

  /**
   * Of one list, some of which always stay.
   *
   * @param free those that may go, ascending
   * @return those that go, ascending
   * @throws UsageException when more would have to go
   */
  int[] among(double[] scores, int[] free, double sparsity) {
    requireShare(sparsity);
    int n = scores.length;
    int goes = n - rounded(n - count(sparsity, n), n);
    requireAtMost(goes, free.length, n);
    return Arrays.stream(free)
        .mapToObj(i -> new Unit(0, i, scores[i]))
        .sorted(SMALLEST_FIRST)
        .limit(goes)
        .mapToInt(Unit::index)
        .sorted()
        .toArray();
  }

  private void requireAtMost(int goes, int most, int n) {
    if (goes > most) {
      throw new UsageException(
          String.format("%d of %d %s would go, and %d may at most", goes, n, units, most),
          "choose a smaller --sparsity");
    }
  }
}
