package dev.smelt.compress.delta;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.model.LowRank;

/** Changes are changes of dense matrices. */
final class DenseBase {

  private DenseBase() {}

  /**
   * @throws MismatchException when the checkpoint is factorised
   */
  static void require(Checkpoint checkpoint) {
    if (!LowRank.of(checkpoint).modules().isEmpty()) {
      throw new MismatchException(
          "factorized checkpoint",
          checkpoint.path().toString(),
          "expected dense matrices",
          "run smelt expand on it first");
    }
  }
}
