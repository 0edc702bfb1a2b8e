package dev.smelt.compress.cluster;

/**
 * Arithmetic on squared singular values, falling: what is kept of them at a rank, and what is left.
 */
final class Energies {

  private Energies() {}

  /** The smallest r with Σ_{i>r} energies ≤ {@code limit}, at least 1. */
  static int rankWithin(double[] energies, double limit) {
    double tail = 0;
    int rank = energies.length;
    while (rank > 1 && tail + energies[rank - 1] <= limit) {
      rank--;
      tail += energies[rank];
    }
    return rank;
  }

  /** Σ of all beyond the first {@code rank}, from the smallest up. */
  static double tail(double[] energies, int rank) {
    double tail = 0;
    for (int i = energies.length - 1; i >= rank; i--) {
      tail += energies[i];
    }
    return tail;
  }

  /** total − Σ of the first {@code rank} energies, not below 0. */
  static double left(double total, double[] energies, int rank) {
    double left = total;
    for (int i = 0; i < Math.min(rank, energies.length); i++) {
      left -= energies[i];
    }
    return Math.max(0, left);
  }

  /** Raises each of {@code largest} to the other's where that is larger. */
  static void raise(double[] largest, double[] energies) {
    for (int i = 0; i < Math.min(largest.length, energies.length); i++) {
      largest[i] = Math.max(largest[i], energies[i]);
    }
  }
}
