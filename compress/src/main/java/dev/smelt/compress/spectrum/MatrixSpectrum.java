package dev.smelt.compress.spectrum;

import dev.smelt.formats.Shape;

/** The singular values of one matrix and what they say of it. Energy is Σ σ². */
public final class MatrixSpectrum {

  private final String tensor;
  private final Shape shape;
  private final double[] singularValues;

  /** σᵢ²/Σσ². */
  private final double[] shares;

  /** Σ_{k≥r} of the shares, for r = 0 … min(m, n). */
  private final double[] tails;

  /**
   * @param tensor its name
   * @param shape as stored
   * @param singularValues all min(m, n) of them, falling
   */
  public MatrixSpectrum(String tensor, Shape shape, double[] singularValues) {
    this.tensor = tensor;
    this.shape = shape;
    this.singularValues = singularValues.clone();
    if (!shape.isMatrix() || singularValues.length != Math.min(shape.size(0), shape.size(1))) {
      throw new IllegalArgumentException(singularValues.length + " singular values of " + shape);
    }
    for (int i = 0; i < singularValues.length; i++) {
      double above = i == 0 ? Double.POSITIVE_INFINITY : singularValues[i - 1];
      if (!(singularValues[i] >= 0 && singularValues[i] <= above)) {
        throw new IllegalArgumentException("singular value " + i + " is " + singularValues[i]);
      }
    }
    this.shares = new double[singularValues.length];
    this.tails = new double[singularValues.length + 1];
    if (!isZero()) {
      fill();
    }
  }

  /** Sums run from the smallest up, so that a small tail is not lost in a large total. */
  private void fill() {
    double total = 0;
    for (int i = fullRank() - 1; i >= 0; i--) {
      double ratio = singularValues[i] / singularValues[0];
      shares[i] = ratio * ratio;
      total += shares[i];
    }
    for (int i = fullRank() - 1; i >= 0; i--) {
      shares[i] /= total;
      tails[i] = tails[i + 1] + shares[i];
    }
  }

  public String tensor() {
    return tensor;
  }

  public Shape shape() {
    return shape;
  }

  public double[] singularValues() {
    return singularValues.clone();
  }

  /** min(m, n). */
  public int fullRank() {
    return singularValues.length;
  }

  /** mn/(m+n), at which two factors have as many elements as the matrix. */
  public double breakEven() {
    double m = shape.size(0);
    double n = shape.size(1);
    return m * n / (m + n);
  }

  /** ‖W‖, without overflow. */
  public double norm() {
    return isZero() ? 0 : singularValues[0] / Math.sqrt(shares[0]);
  }

  /**
   * exp(−Σ p ln p) with p = σ²/Σσ²; 0 of a zero matrix. After Roy and Vetterli, EUSIPCO 2007, who
   * take σ for σ².
   */
  public double effectiveRank() {
    double entropy = 0;
    for (double p : shares) {
      entropy -= p > 0 ? p * Math.log(p) : 0;
    }
    return isZero() ? 0 : Math.exp(entropy);
  }

  /** Σσ²/σ₁²; 0 of a zero matrix. */
  public double stableRank() {
    return isZero() ? 0 : 1 / shares[0];
  }

  /** σ₁/σ_min; infinite where the matrix lacks full rank. */
  public double conditionNumber() {
    double least = singularValues[fullRank() - 1];
    return least == 0 ? Double.POSITIVE_INFINITY : singularValues[0] / least;
  }

  /** Share of the energy in the first r directions; 1 of a zero matrix. */
  public double energy(int r) {
    return 1 - tails[r];
  }

  /** The smallest rank that holds this share of the energy. */
  public int rankFor(double energy) {
    int rank = 0;
    while (rank < fullRank() && tails[rank] > 1 - energy) {
      rank++;
    }
    return rank;
  }

  /** The rank of factors that have this share of the elements, as {@code factorize --keep}. */
  public int rankAtKeep(double share) {
    return Math.clamp((int) Math.floor(share * breakEven() + 1e-9), 1, fullRank());
  }

  private boolean isZero() {
    return singularValues[0] == 0;
  }
}
