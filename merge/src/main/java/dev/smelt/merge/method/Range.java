package dev.smelt.merge.method;

/**
 * Numbers a parameter may be, all of them finite.
 *
 * @param least the bound below, or negative infinity
 * @param orLeast whether the bound itself is allowed
 * @param most the bound above, or infinity
 * @param orMost likewise
 */
public record Range(double least, boolean orLeast, double most, boolean orMost) {

  public static final Range FINITE =
      new Range(Double.NEGATIVE_INFINITY, false, Double.POSITIVE_INFINITY, false);
  public static final Range POSITIVE = new Range(0, false, Double.POSITIVE_INFINITY, false);
  public static final Range NOT_NEGATIVE = new Range(0, true, Double.POSITIVE_INFINITY, false);
  public static final Range SHARE = new Range(0, true, 1, true);

  public boolean contains(double value) {
    boolean above = orLeast ? value >= least : value > least;
    boolean below = orMost ? value <= most : value < most;
    return above && below && Double.isFinite(value);
  }

  @Override
  public String toString() {
    String below = orLeast ? ">= " + text(least) : "> " + text(least);
    if (Double.isInfinite(most)) {
      return Double.isInfinite(least) ? "finite" : "finite, " + below;
    }
    return orLeast && orMost
        ? text(least) + " to " + text(most)
        : below + ", " + (orMost ? "<= " : "< ") + text(most);
  }

  private static String text(double bound) {
    return bound == Math.rint(bound) ? Long.toString((long) bound) : Double.toString(bound);
  }
}
