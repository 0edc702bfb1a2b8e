package dev.smelt.gpu.network;

/** Row numbers for tables of absolute positions. */
final class Positions {

  private Positions() {}

  /** 0 … length−1 for each of {@code size} examples. */
  static int[] counting(int size, int length) {
    int[] positions = new int[size * length];
    for (int i = 0; i < positions.length; i++) {
      positions[i] = i % length;
    }
    return positions;
  }
}
