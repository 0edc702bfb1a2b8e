package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.TensorBatch;
import dev.smelt.gpu.data.TokenBatch;
import java.util.Arrays;

/** Which positions [B, T] of a batch are not padding. Layers of other lengths have none. */
record Positions(Batch batch) {

  /** Positions of each example that count, [B], in an array [B, T, …]. */
  NDArray lengths(NDManager manager, NDArray array) {
    long length = array.getShape().get(1);
    long[] lengths = new long[batch.size()];
    Arrays.fill(lengths, length);
    if (batch instanceof TokenBatch tokens && length == tokens.length()) {
      for (int b = 0; b < lengths.length; b++) {
        lengths[b] = tokens.lengths()[b];
      }
    }
    return manager.create(lengths);
  }

  /** The array [B, T, …] with zeros at padding. */
  NDArray withoutPadding(NDManager manager, NDArray array) {
    return switch (batch) {
      case TensorBatch _ -> array;
      case TokenBatch tokens ->
          tokens.isPadded() && array.getShape().get(1) == tokens.length()
              ? masked(manager, array, tokens)
              : array;
    };
  }

  private static NDArray masked(NDManager manager, NDArray array, TokenBatch tokens) {
    NDArray masked = array.mul(mask(manager, tokens));
    masked.attach(manager);
    return masked;
  }

  private static NDArray mask(NDManager manager, TokenBatch tokens) {
    float[] mask = new float[tokens.size() * tokens.length()];
    for (int b = 0; b < tokens.size(); b++) {
      int first = b * tokens.length();
      Arrays.fill(mask, first, first + tokens.lengths()[b], 1);
    }
    return manager.create(mask, new Shape(tokens.size(), tokens.length(), 1));
  }
}
