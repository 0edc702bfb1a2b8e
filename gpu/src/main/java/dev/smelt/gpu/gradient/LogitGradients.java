package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.torch.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Where backward passes begin: gradients of log-likelihoods with respect to the logits. */
final class LogitGradients {

  /** The golden ratio in 64 bits, whose multiples are spread evenly (Steele et al. 2014). */
  private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

  private LogitGradients() {}

  /**
   * @param logits [B, P, classes]
   * @return one gradient per backward pass, each of the shape of {@code logits} and zero where the
   *     batch has padding
   */
  static List<NDArray> of(NDArray logits, Batch batch, FisherOptions options) {
    NDArray p = logits.softmax(-1);
    return switch (options.labels()) {
      case EMPIRICAL -> List.of(towards(p, targets(p.getManager(), batch), batch));
      case SAMPLED -> List.of(towards(p, drawn(p, batch, options.seed()), batch));
      case EXPECTED -> expected(p, batch);
    };
  }

  /** onehot(y) − p, where it counts. */
  private static NDArray towards(NDArray p, NDArray labels, Batch batch) {
    int classes = Math.toIntExact(p.getShape().get(2));
    return labels.oneHot(classes, DataType.FLOAT32).sub(p).mul(mask(p.getManager(), batch));
  }

  /** √p_c (onehot(c) − p) for every class c. */
  private static List<NDArray> expected(NDArray p, Batch batch) {
    List<NDArray> gradients = new ArrayList<>();
    int[] labels = new int[batch.size() * batch.predictionsPerExample()];
    for (int c = 0; c < p.getShape().get(2); c++) {
      Arrays.fill(labels, c);
      NDArray label =
          Tensors.ofInts(p.getManager(), labels, batch.size(), batch.predictionsPerExample());
      NDArray weight = p.get(":, :, {}:{}", c, c + 1).sqrt();
      gradients.add(towards(p, label, batch).mul(weight));
    }
    return gradients;
  }

  private static NDArray targets(NDManager manager, Batch batch) {
    return Tensors.ofInts(
        manager, batch.targetIndices(), batch.size(), batch.predictionsPerExample());
  }

  /** Labels by inversion: the number of classes whose cumulated probability is at most u. */
  private static NDArray drawn(NDArray p, Batch batch, long seed) {
    int perExample = batch.predictionsPerExample();
    float[] uniform = new float[batch.size() * perExample];
    for (int b = 0; b < batch.size(); b++) {
      SplittableRandom random = generator(seed, batch.first() + b);
      for (int t = 0; t < perExample; t++) {
        if (batch.counts(b, t)) {
          uniform[b * perExample + t] = (float) random.nextDouble();
        }
      }
    }
    NDArray u = Tensors.ofFloats(p.getManager(), uniform, batch.size(), perExample, 1);
    NDArray below = p.cumSum(2).lte(u).toType(DataType.INT64, false);
    // Rounding can leave the last cumulated probability just under 1.
    return below.sum(new int[] {2}).minimum(p.getShape().get(2) - 1);
  }

  /**
   * A generator of its own for every example, whatever batch it is in. The constructor of {@link
   * SplittableRandom} does not scatter its seed, so neighbours would run through the same numbers;
   * the first number of a generator does.
   */
  private static SplittableRandom generator(long seed, long example) {
    return new SplittableRandom(new SplittableRandom(seed + example * GOLDEN_GAMMA).nextLong());
  }

  /** [B, P, 1], 1 where a prediction counts and 0 at padding. */
  private static NDArray mask(NDManager manager, Batch batch) {
    int perExample = batch.predictionsPerExample();
    float[] mask = new float[batch.size() * perExample];
    for (int b = 0; b < batch.size(); b++) {
      for (int t = 0; t < perExample; t++) {
        mask[b * perExample + t] = batch.counts(b, t) ? 1 : 0;
      }
    }
    return Tensors.ofFloats(manager, mask, batch.size(), perExample, 1);
  }
}
