package dev.smelt.compress.sharing;

import dev.smelt.formats.model.Axis;
import java.util.Locale;

/** What matrices of a cluster have in common. */
public enum Side {
  /** A of W = AB, a basis of the outputs: blocks are W. */
  OUTPUT,
  /** B of W = AB, a basis of the inputs: blocks are Wᵀ. */
  INPUT;

  /** Along which the blocks' columns lie, and are cut into panels. */
  Axis columns() {
    return this == OUTPUT ? Axis.INPUT : Axis.OUTPUT;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
