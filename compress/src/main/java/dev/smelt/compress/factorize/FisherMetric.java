package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Fisher-weighted SVD: R = diag(√d) with d_k = Σ_j F_jk, regularised by d ← d + 1e-6·mean(d) and in
 * units of mean(d), which changes no result and keeps factors near the scale of the weights. Hsu et
 * al., "Language model compression with weighted low-rank factorization", ICLR 2022, arXiv
 * 2207.00112, where the weights are on the input side of a matrix stored [in, out].
 *
 * @param statistics with the diagonal Fisher information of the layers
 */
public record FisherMetric(Statistics statistics, Side side) implements Metric {

  /** Keeps R invertible where no data reached an input; far below any weight that matters. */
  private static final double REGULARISATION = 1e-6;

  @Override
  public String name() {
    return "fisher";
  }

  @Override
  public Weighted weighting(LinearAlgebra algebra, Layer layer) {
    TensorView fisher = fisher(layer);
    double[] rows = new double[Math.toIntExact(fisher.shape().size(0))];
    double[] cols = new double[Math.toIntExact(fisher.shape().size(1))];
    sum(fisher, statistics.path(), rows, cols);
    double[] perOutput = layer.transposed() ? cols : rows;
    double[] perInput = layer.transposed() ? rows : cols;
    if (total(perInput) == 0) {
      return new Weighted(
          new Weighting(Weight.NONE, Weight.NONE, 0),
          0,
          Optional.of("Fisher information is zero everywhere: plain metric"));
    }
    return Weighted.of(
        new Weighting(
            side == Side.INPUT ? Weight.NONE : new Weight.Diagonal(weights(perOutput)),
            side == Side.OUTPUT ? Weight.NONE : new Weight.Diagonal(weights(perInput)),
            lossPerEnergy(total(perInput), layer)));
  }

  /**
   * Half of the mean Fisher information of a weight. Half of Σ F_jk Δ_jk² is the predicted increase
   * of the loss; with weights in units of their mean, F_jk is taken to be the mean of F times them.
   */
  private static double lossPerEnergy(double total, Layer layer) {
    return 0.5 * total / layer.weight().elements();
  }

  private TensorView fisher(Layer layer) {
    String name = layer.weight().name();
    TensorView fisher =
        statistics
            .diagonal(name)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no Fisher information for a matrix",
                        statistics.path() + "|" + name,
                        "",
                        "compute the statistics again or --exclude the matrix"));
    if (!fisher.shape().equals(layer.weight().shape())) {
      throw new MismatchException(
          "Fisher information of another shape",
          statistics.path() + "|" + name,
          "expected " + layer.weight().shape() + ", found " + fisher.shape(),
          "compute the statistics of this model");
    }
    return fisher;
  }

  /** Row by row, so that no more than a row is ever decoded. */
  private static void sum(TensorView fisher, Path file, double[] rows, double[] cols) {
    double[] row = new double[cols.length];
    for (int i = 0; i < rows.length; i++) {
      fisher.read((long) i * cols.length, cols.length, row);
      for (int k = 0; k < cols.length; k++) {
        if (!(row[k] >= 0) || Double.isInfinite(row[k])) {
          throw new NonFiniteException(
              "invalid Fisher information",
              file + "|" + fisher.name(),
              "expected a finite number >= 0, found " + row[k] + " in row " + i + ", column " + k,
              "compute the statistics again");
        }
        rows[i] += row[k];
        cols[k] += row[k];
      }
    }
  }

  private static double[] weights(double[] sums) {
    double mean = total(sums) / sums.length;
    double[] weights = new double[sums.length];
    for (int i = 0; i < sums.length; i++) {
      weights[i] = Math.sqrt(sums[i] / mean + REGULARISATION);
    }
    return weights;
  }

  private static double total(double[] values) {
    double total = 0;
    for (double value : values) {
      total += value;
    }
    return total;
  }
}
