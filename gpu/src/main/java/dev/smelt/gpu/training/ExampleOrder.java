package dev.smelt.gpu.training;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Every example once in random order, then all of them again in another one. */
final class ExampleOrder {

  private final int[] order;
  private final SplittableRandom random;
  private int next;

  /**
   * @param examples at least one
   */
  ExampleOrder(int examples, long seed) {
    order = new int[examples];
    for (int i = 0; i < examples; i++) {
      order[i] = i;
    }
    random = new SplittableRandom(seed);
    next = examples;
  }

  /** The indices of the next examples. */
  List<Integer> take(int count) {
    List<Integer> taken = new ArrayList<>(count);
    while (taken.size() < count) {
      if (next == order.length) {
        shuffle();
        next = 0;
      }
      taken.add(order[next++]);
    }
    return taken;
  }

  /** Fisher and Yates. */
  private void shuffle() {
    for (int i = order.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
  }
}
