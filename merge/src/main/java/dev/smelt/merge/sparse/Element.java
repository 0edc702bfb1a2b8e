package dev.smelt.merge.sparse;

import dev.smelt.merge.sparse.Blend.Divisor;

/**
 * One element of a {@link Blend} whose sums are beyond f64, though its value need not be: values
 * and coefficients are made smaller before they are added.
 *
 * @param theta of each model
 * @param factor likewise
 */
@SuppressWarnings("ArrayRecordComponent") // Made for one computation, never compared.
record Element(Blend blend, double base, double[] theta, double[] factor) {

  /** Binary digits that sums of many large values may be longer than these. */
  private static final int ROOM = 64;

  /** NaN where one of the values is. */
  double value() {
    double elected = elected();
    if (Double.isNaN(elected)) {
      return Double.NaN;
    }
    double[] change = blend.coefficients().change();
    double total = 0;
    double weights = 0;
    int counted = -1;
    boolean agreed = true;
    double largest = 0;
    for (int i = 0; i < theta.length; i++) {
      weights += counts(i, elected) || blend.divisor() == Divisor.ALL ? weight(i) : 0;
      if (counts(i, elected)) {
        counted = counted < 0 ? i : counted;
        agreed &= theta[i] == theta[counted];
        total += change[i] * factor[i];
        largest = Math.max(largest, Math.abs(change[i]));
      }
    }
    if (counted < 0) {
      return base;
    }
    double one = blend.coefficients().one();
    double divisor = blend.divisor() == Divisor.ONE || weights == 0 ? one : weights;
    if (agreed && total == divisor) {
      return theta[counted];
    }
    double unit = Math.max(largest, Math.abs(divisor));
    double sum = 0;
    double rest = divisor / unit;
    for (int i = 0; i < theta.length; i++) {
      if (counts(i, elected)) {
        double of = change[i] / unit * factor[i];
        sum += of * Math.scalb(theta[i], -ROOM);
        rest -= of;
      }
    }
    return Math.scalb((sum + rest * Math.scalb(base, -ROOM)) / (divisor / unit), ROOM);
  }

  private double weight(int i) {
    return blend.coefficients().weight()[i];
  }

  private double elected() {
    double[] vote = blend.coefficients().vote();
    double unit = 0;
    for (double one : vote) {
      unit = Math.max(unit, Math.abs(one));
    }
    double elected = 0;
    for (int i = 0; i < theta.length && unit > 0; i++) {
      double change = Math.scalb(theta[i], -ROOM) - Math.scalb(base, -ROOM);
      elected += vote[i] / unit * factor[i] * change;
    }
    return elected;
  }

  private boolean counts(int i, double elected) {
    double vote = blend.coefficients().vote()[i] * Math.signum(theta[i] - base) * factor[i];
    return vote != 0 && (!blend.agree() || vote > 0 == elected >= 0);
  }
}
