package dev.smelt.merge.search;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Weights of models that sum to one: for two models an even grid from one end to the other; for
 * more, equal ones, then draws from the Dirichlet distribution whose parameters are all 1, which is
 * even over the simplex. Always the same for one seed, in steps of 1/1000.
 */
public final class Candidates {

  private static final int STEPS = 1000;

  private Candidates() {}

  /**
   * @param models at least two
   * @param count how many, at least two
   */
  public static List<List<Double>> of(int models, int count, long seed) {
    if (models < 2 || count < 2) {
      throw new IllegalArgumentException(count + " weights for " + models + " models");
    }
    return models == 2 ? grid(count) : draws(models, count, seed);
  }

  private static List<List<Double>> grid(int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> parts(List.of(count - 1.0 - i, (double) i)))
        .toList();
  }

  private static List<List<Double>> draws(int models, int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<List<Double>> all = new ArrayList<>();
    all.add(Collections.nCopies(models, 1.0));
    while (all.size() < count) {
      List<Double> exponentials = new ArrayList<>();
      for (int i = 0; i < models; i++) {
        exponentials.add(-Math.log(1 - random.nextDouble()));
      }
      all.add(parts(exponentials));
    }
    return all;
  }

  /** As shares in whole steps; the last model has what the others leave. */
  private static List<Double> parts(List<Double> weights) {
    double sum = weights.stream().mapToDouble(Double::doubleValue).sum();
    List<Double> parts = new ArrayList<>();
    long left = STEPS;
    for (double weight : weights.subList(0, weights.size() - 1)) {
      long part = Math.min(left, Math.round(STEPS * weight / sum));
      left -= part;
      parts.add((double) part / STEPS);
    }
    parts.add((double) left / STEPS);
    return parts;
  }
}
