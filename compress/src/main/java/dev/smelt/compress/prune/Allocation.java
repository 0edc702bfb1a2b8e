package dev.smelt.compress.prune;

import java.util.Locale;

/** How the share of weights that go is divided among tensors. */
public enum Allocation {
  /** Each loses the same share. */
  UNIFORM,
  /** As the smallest predicted loss ½Fw² of all of them together would have it. */
  LOSS;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
