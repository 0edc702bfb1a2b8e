package dev.smelt.gpu.layer;

/** How fast pairs of features turn with the position, and how long they get. */
public interface RotaryFrequencies {

  /**
   * @param length tokens of the sequence
   * @return radians per position of each pair
   */
  double[] of(int length);

  /** What cosines and sines are multiplied with. */
  default double magnitude() {
    return 1;
  }
}
