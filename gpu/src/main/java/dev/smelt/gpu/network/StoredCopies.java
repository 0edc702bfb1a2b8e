package dev.smelt.gpu.network;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.layer.Weights;
import java.util.Arrays;

/** Tensors that are stored twice although the network has them once. */
final class StoredCopies {

  private StoredCopies() {}

  /**
   * @param weights of the whole checkpoint
   * @throws MismatchException when the two differ
   */
  static void requireEqual(Weights weights, String copy, String original) {
    if (!sameValues(find(weights, copy), find(weights, original))) {
      throw new MismatchException(
          "tied weights differ",
          weights.where(),
          "expected " + copy + " equal to " + original,
          "set tie_word_embeddings to false in config.json if both are meant");
    }
  }

  private static TensorView find(Weights weights, String name) {
    return weights
        .find(name)
        .orElseThrow(() -> new NotFoundException("tensor missing", weights.where(), name, ""));
  }

  private static boolean sameValues(TensorView a, TensorView b) {
    if (!a.shape().equals(b.shape())) {
      return false;
    }
    return a.dtype() == b.dtype() ? a.sameBits(b) : Arrays.equals(a.toFloats(), b.toFloats());
  }
}
