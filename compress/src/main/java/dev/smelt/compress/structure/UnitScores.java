package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.prune.Criterion;
import dev.smelt.compress.prune.Scores;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Coupling;
import java.util.Optional;

/**
 * Sums of scores over the weights of units. Each is a sum in f64 in the order of the weights, one
 * tensor after another, so that it does not depend on threads.
 */
final class UnitScores {

  /** Weights read at a time. */
  private static final int CHUNK = 1 << 16;

  private final Checkpoint checkpoint;
  private final Criterion criterion;

  UnitScores(Checkpoint checkpoint, Criterion criterion) {
    this.checkpoint = checkpoint;
    this.criterion = criterion;
  }

  /** Of the units of a block. */
  double[] of(Coupling coupling) {
    double[] sums = new double[coupling.units()];
    for (Coupling.Member member : coupling.members()) {
      int[] owners = member.unitOfEach(coupling.units());
      add(
          layer(member.module(), member.weight(), member.transposed()),
          member.storedAxis(),
          owners,
          sums);
    }
    for (double sum : sums) {
      if (!Double.isFinite(sum)) {
        throw notFinite(coupling.consumer().weight(), sum);
      }
    }
    return sums;
  }

  private NonFiniteException notFinite(TensorView weight, double sum) {
    return new NonFiniteException(
        "score of a unit is no finite number",
        checkpoint.path() + "|" + weight.name(),
        "found " + sum + " in its block",
        "repair the model or the statistics");
  }

  /** Of a whole matrix. */
  double of(String module, TensorView weight, boolean transposed) {
    double[] sum = new double[1];
    int[] owners = new int[Math.toIntExact(weight.shape().size(0))];
    add(layer(module, weight, transposed), 0, owners, sum);
    if (!Double.isFinite(sum[0])) {
      throw notFinite(weight, sum[0]);
    }
    return sum[0];
  }

  private Layer layer(String module, TensorView weight, boolean transposed) {
    return new Layer(checkpoint.path(), module, weight, transposed, Optional.empty());
  }

  /**
   * @param axis of the stored tensor
   * @param owners the unit of each index along it
   */
  private void add(Layer layer, int axis, int[] owners, double[] sums) {
    layer.requireFinite();
    Scores scores = criterion.of(layer);
    TensorView weight = layer.weight();
    long rowLength = weight.elements() / weight.shape().size(0);
    double[] chunk = new double[(int) Math.min(CHUNK, weight.elements())];
    for (long at = 0; at < weight.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, weight.elements() - at);
      scores.read(at, count, chunk);
      long row = at / rowLength;
      long column = at % rowLength;
      for (int i = 0; i < count; i++) {
        sums[owners[(int) (axis == 0 ? row : column)]] += chunk[i];
        if (++column == rowLength) {
          column = 0;
          row++;
        }
      }
    }
  }
}
