package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;

/** Cuts factors of a rank out of a decomposition, in the type in which they will be stored. */
final class FactorCutter {

  private final StoredTensors stored;

  FactorCutter(StoredTensors stored) {
    this.stored = stored;
  }

  Factors cut(DecomposedLayer one, int rank) {
    Layer layer = one.layer();
    String module = layer.module();
    double[] left = leading(one.left(), rank, layer.out());
    double[] right = leading(one.right(), rank, layer.in());
    return new Factors(
        stored.factor(
            LowRank.factorA(module), layer.weight(), layer.shapeOfA(rank), transposed(left, rank)),
        stored.factor(LowRank.factorB(module), layer.weight(), layer.shapeOfB(rank), right));
  }

  private static double[] leading(TensorView directions, int rank, int length) {
    double[] values = new double[Math.multiplyExact(rank, length)];
    directions.read(0, values.length, values);
    return values;
  }

  /** [r, out] to [out, r]. */
  private static double[] transposed(double[] rows, int rank) {
    int out = rows.length / rank;
    double[] columns = new double[rows.length];
    for (int k = 0; k < rank; k++) {
      for (int i = 0; i < out; i++) {
        columns[i * rank + k] = rows[k * out + i];
      }
    }
    return columns;
  }
}
