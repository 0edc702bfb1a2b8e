package dev.smelt.compress.dampen;

import dev.smelt.formats.TensorView;
import java.util.Optional;

/** What becomes of a tensor. */
sealed interface Planned {

  /** As it is in the model. */
  TensorView source();

  /**
   * Lowered, weight by weight.
   *
   * @param forget its Fisher information on the data to be forgotten, in its shape
   * @param retain that on the data to be retained
   */
  record Dampened(TensorView source, TensorView forget, TensorView retain) implements Planned {}

  /**
   * Not changed.
   *
   * @param reason why, unless that was asked for
   */
  record Kept(TensorView source, Optional<String> reason) implements Planned {}
}
