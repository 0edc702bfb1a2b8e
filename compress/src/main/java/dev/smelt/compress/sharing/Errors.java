package dev.smelt.compress.sharing;

/** Relative errors of matrices, one by one and all together. */
final class Errors {

  private double missed;
  private double total;
  private double largest;

  /** A matrix of zeros is met exactly by zeros. */
  static double ratio(double error, double norm) {
    return error == 0 ? 0 : error / norm;
  }

  /**
   * @return error/norm
   */
  double add(double error, double norm) {
    missed = Math.hypot(missed, error);
    total = Math.hypot(total, norm);
    double relative = ratio(error, norm);
    largest = Math.max(largest, relative);
    return relative;
  }

  /** √Σ norm². */
  double norm() {
    return total;
  }

  /** √(Σ error²/Σ norm²), or the largest error/norm. */
  double all(boolean everyOne) {
    return everyOne ? largest : ratio(missed, total);
  }
}
