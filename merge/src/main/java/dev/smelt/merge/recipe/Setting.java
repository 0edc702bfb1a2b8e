package dev.smelt.merge.recipe;

import java.util.List;
import java.util.Optional;

/**
 * What a recipe says of a parameter in one place: the first of the cases whose filter fits holds.
 */
public record Setting(Place place, List<Case> cases) {

  private static final String EVERY_TENSOR = "*";

  public Setting {
    cases = List.copyOf(cases);
  }

  /**
   * A value for some tensors.
   *
   * @param filter a part of their names; empty for all
   * @param points one value, or a gradient over the blocks of a slice
   */
  public record Case(Optional<String> filter, List<Double> points) {

    public Case {
      points = List.copyOf(points);
      if (points.isEmpty()) {
        throw new IllegalArgumentException("no value");
      }
    }

    boolean holdsFor(String tensor) {
      return filter.map(part -> part.equals(EVERY_TENSOR) || tensor.contains(part)).orElse(true);
    }

    /**
     * On the line through points that are equally far from each other.
     *
     * @param t how far, in [0, 1]
     */
    double at(double t) {
      double place = t * (points.size() - 1);
      int below = (int) place;
      int above = Math.min(below + 1, points.size() - 1);
      double share = place - below;
      double start = points.get(below);
      double end = points.get(above);
      // Rounding must touch neither a point nor what is between equal ones.
      return share == 0 || start == end ? start : (1 - share) * start + share * end;
    }
  }

  /** Whether some value changes with the block. */
  boolean isGradient() {
    return cases.stream().anyMatch(one -> one.points().size() > 1);
  }

  /**
   * @param t where the tensor is in its slice: 0 in front of the first block and in it, 1 in the
   *     last and behind it
   */
  Optional<Double> at(String tensor, double t) {
    return cases.stream().filter(one -> one.holdsFor(tensor)).findFirst().map(one -> one.at(t));
  }
}
