package dev.smelt.gpu.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.smelt.formats.MismatchException;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Tensors;
import java.util.Optional;

/**
 * What tuning makes small: per prediction, (1 − w) · (−log p_y) + w · Σ_c q_c log(q_c / p_c), with
 * p the network's probabilities, y the label, q the teacher's probabilities; the mean over all
 * predictions that count, in nats. Without a teacher w is 0.
 *
 * @param distillation w
 */
record Objective(Optional<Network> teacher, double distillation) {

  /**
   * @param value in nats
   * @param gradient of the value with respect to the logits, of their shape
   */
  record Found(double value, NDArray gradient) {}

  /**
   * With t = (1 − w) onehot(y) + w q, the gradient of one prediction is p − t.
   *
   * @param logits [B, P, classes]
   */
  Found of(NDManager manager, NDArray logits, Batch batch) {
    long classes = logits.getShape().get(2);
    batch.requireTargetsBelow(classes);
    double w = teacher.isPresent() ? distillation : 0;
    NDArray logP = logits.logSoftmax(-1);
    NDArray target = manager.zeros(logits.getShape(), DataType.FLOAT32);
    NDArray costs = manager.zeros(logits.getShape(), DataType.FLOAT32);
    if (w < 1) {
      int perExample = batch.predictionsPerExample();
      NDArray labels =
          Tensors.ofInts(manager, batch.targetIndices(), batch.size(), perExample)
              .oneHot(Math.toIntExact(classes), DataType.FLOAT32)
              .mul(1 - w);
      target.addi(labels);
      costs.subi(labels.mul(logP));
    }
    if (w > 0) {
      NDArray logQ = taught(manager, logits, batch).logSoftmax(-1);
      NDArray q = logQ.exp().mul(w);
      target.addi(q);
      costs.addi(q.mul(logQ.sub(logP)));
    }
    NDArray weights = weights(manager, batch);
    double value = costs.sum(new int[] {2}, true).mul(weights).sum().getFloat();
    return new Found(value, logP.exp().sub(target).mul(weights));
  }

  private NDArray taught(NDManager manager, NDArray logits, Batch batch) {
    NDArray taught = teacher.orElseThrow().model().logits(manager, batch, Tape.off());
    if (!taught.getShape().equals(logits.getShape())) {
      throw new MismatchException(
          "the teacher predicts something else than the network",
          "logits",
          "expected " + logits.getShape() + ", found " + taught.getShape(),
          "give the network that was compressed");
    }
    return taught;
  }

  /** [B, P, 1]: 1 over the number of predictions that count, 0 at those that do not. */
  private static NDArray weights(NDManager manager, Batch batch) {
    int perExample = batch.predictionsPerExample();
    int counting = 0;
    for (int target : batch.targets()) {
      counting += target == Batch.NO_TARGET ? 0 : 1;
    }
    float[] weights = new float[batch.targets().length];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = batch.targets()[i] == Batch.NO_TARGET ? 0 : 1f / counting;
    }
    return Tensors.ofFloats(manager, weights, batch.size(), perExample, 1);
  }
}
