package dev.smelt.compress.dampen;

/**
 * What dampening did to a tensor, or to a part of it.
 *
 * @param weights looked at
 * @param lowered how many have a factor below 1
 * @param zeroed how many of those have the factor 0
 * @param squares Σθ² before
 * @param changed Σ(θ − θ̂)² with θ̂ as written
 */
record Lowered(long weights, long lowered, long zeroed, double squares, double changed) {

  static final Lowered NONE = new Lowered(0, 0, 0, 0, 0);

  Lowered plus(Lowered other) {
    return new Lowered(
        weights + other.weights,
        lowered + other.lowered,
        zeroed + other.zeroed,
        squares + other.squares,
        changed + other.changed);
  }

  /** ‖θ − θ̂‖ / ‖θ‖. */
  double relativeError() {
    return squares == 0 ? 0 : Math.sqrt(changed / squares);
  }
}
