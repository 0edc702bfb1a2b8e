package dev.smelt.compress.cluster;

/**
 * What elements cost, in bits or any other unit. What factors take beside their elements, such as
 * scales of rows, is left out.
 *
 * @param dense of a block that stays as it is
 * @param factor of bases and coefficients
 */
public record Widths(int dense, int factor) {

  /** Elements count alike. */
  public static final Widths EQUAL = new Widths(1, 1);

  public Widths {
    if (dense < 1 || factor < 1) {
      throw new IllegalArgumentException("elements of " + dense + " and " + factor + " bits");
    }
  }
}
