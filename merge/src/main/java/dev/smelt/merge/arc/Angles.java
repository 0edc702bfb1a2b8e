package dev.smelt.merge.arc;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What has to be known of some vectors v₁ … v_k to mix them by direction.
 *
 * @param lengths ‖vᵢ‖ in a unit of their own; 0 also where they are beyond f64 beside the longest
 * @param cosines Cᵢⱼ = vᵢ·vⱼ/(‖vᵢ‖‖vⱼ‖) in [−1, 1], the products of the directions uᵢ = vᵢ/‖vᵢ‖;
 *     vectors of zeros have none, and zeros in their place
 */
@SuppressWarnings("ArrayRecordComponent") // Made once for each vector, never compared.
record Angles(double[] lengths, double[][] cosines) {

  /** Nearer to ±1 a cosine says nothing of the angle but that there is none, or a straight one. */
  private static final double STRAIGHT = 1e-12;

  /** In shares of the weights; a shorter sum of directions says nothing: its square is rounding. */
  private static final double LEAST_NORM = 1e-6;

  int count() {
    return lengths.length;
  }

  /** Whether this cosine is of vectors that span a plane. */
  static boolean isAngle(double cosine) {
    return Math.abs(cosine) < 1 - STRAIGHT;
  }

  /** Whether this cosine is of vectors that point away from each other. */
  static boolean isOpposite(double cosine) {
    return cosine <= STRAIGHT - 1;
  }

  /** Whether vector i has no direction. */
  boolean isZero(int i) {
    return cosines[i][i] == 0;
  }

  int zeros() {
    return (int) IntStream.range(0, count()).filter(this::isZero).count();
  }

  /**
   * Whether all of them that are not zero have one direction, or all are zero.
   *
   * @param w those of weight 0 are not asked
   */
  boolean isParallel(double[] w) {
    for (int i = 0; i < count(); i++) {
      for (int j = 0; j < i; j++) {
        boolean asked = w[i] != 0 && w[j] != 0 && !isZero(i) && !isZero(j);
        if (asked && cosines[i][j] <= 1 - STRAIGHT) {
          return false;
        }
      }
    }
    return true;
  }

  /** a·uⱼ for a = Σ aᵢuᵢ. */
  double dot(double[] a, int j) {
    double sum = 0;
    for (int i = 0; i < count(); i++) {
      sum += a[i] * cosines[i][j];
    }
    return sum;
  }

  /** ‖Σ aᵢuᵢ‖. */
  double norm(double[] a) {
    double square = 0;
    for (int j = 0; j < count(); j++) {
      square += dot(a, j) * a[j];
    }
    // Rounding may leave a little less than nothing.
    return Math.sqrt(Math.max(square, 0));
  }

  /** Σ wᵢ‖vᵢ‖. */
  double length(double[] w) {
    double sum = 0;
    for (int i = 0; i < count(); i++) {
      sum += w[i] * lengths[i];
    }
    return sum;
  }

  /** Whether Σ wᵢuᵢ is of no length, as far as can be told, and so of no direction. */
  boolean cancel(double[] w) {
    return norm(w) < LEAST_NORM * Arrays.stream(w).map(Math::abs).sum();
  }

  /** Coefficients of the vectors for r·Σ aᵢuᵢ. */
  double[] ofVectors(double[] a, double r) {
    double[] coefficients = new double[count()];
    for (int i = 0; i < count(); i++) {
      coefficients[i] = lengths[i] == 0 ? 0 : r / lengths[i] * a[i];
    }
    return coefficients;
  }
}
