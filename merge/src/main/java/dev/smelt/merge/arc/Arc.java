package dev.smelt.merge.arc;

import java.util.Optional;

/** The arc between two vectors. */
final class Arc {

  private Arc() {}

  /**
   * sin((1 − t)Ω)/sin Ω and sin(tΩ)/sin Ω, by which two vectors at the angle Ω give the point at tΩ
   * from the first.
   *
   * @return none at the ends, which are the vectors themselves, signs of zeros included
   */
  static Optional<double[]> mix(double angle, double t) {
    return t == 0 || t == 1
        ? Optional.empty()
        : Optional.of(
            new double[] {
              Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)
            });
  }
}
