package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Arrays;
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
  public boolean predictsLoss() {
    return true;
  }

  @Override
  public Weighted weighting(LinearAlgebra algebra, Layer layer) {
    Sums sums = sums(layer);
    if (total(sums.perInput()) == 0) {
      return Weighted.withoutInformation("Fisher information is");
    }
    return Weighted.of(
        new Weighting(
            side == Side.INPUT ? Weight.NONE : new Weight.Diagonal(weights(sums.perOutput())),
            side == Side.OUTPUT ? Weight.NONE : new Weight.Diagonal(weights(sums.perInput())),
            lossPerEnergy(total(sums.perInput()), layer)));
  }

  @Override
  public Curvature.Sides sides(Layer layer) {
    Sums sums = sums(layer);
    return new Curvature.Sides(
        side == Side.INPUT ? new Curvature.Flat() : new Curvature.Diagonal(sums.perOutput()),
        side == Side.OUTPUT ? new Curvature.Flat() : new Curvature.Diagonal(sums.perInput()));
  }

  @Override
  public double damping() {
    return REGULARISATION;
  }

  /** Of the diagonal Fisher information over inputs and over outputs. */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  private record Sums(double[] perOutput, double[] perInput) {}

  private Sums sums(Layer layer) {
    double[] perOutput = new double[layer.out()];
    double[] perInput = new double[layer.in()];
    if (!readSums(layer, perOutput, perInput)) {
      sum(fisher(layer), layer, perOutput, perInput);
    }
    return new Sums(perOutput, perInput);
  }

  /**
   * Half of the mean Fisher information of a weight. Half of Σ F_jk Δ_jk² is the predicted increase
   * of the loss; with weights in units of their mean, F_jk is taken to be the mean of F times them.
   */
  private static double lossPerEnergy(double total, Layer layer) {
    return 0.5 * total / layer.elements();
  }

  /** Sums that the statistics have already; false where they lack one of the two. */
  private boolean readSums(Layer layer, double[] perOutput, double[] perInput) {
    Optional<TensorView> rows = statistics.find(Statistic.ROWS, layer.weight().name());
    Optional<TensorView> cols = statistics.find(Statistic.COLS, layer.weight().name());
    // Sums over all outputs say nothing of those of a part.
    if (rows.isEmpty() || cols.isEmpty() || layer.part().isPresent()) {
      return false;
    }
    readLine(rows.get(), perOutput);
    readLine(cols.get(), perInput);
    return true;
  }

  private void readLine(TensorView sums, double[] target) {
    requireShape(sums, Shape.of(target.length));
    sums.read(0, target.length, target);
    for (int i = 0; i < target.length; i++) {
      requireInformation(target[i], statistics.path() + "|" + sums.name(), "at index " + i);
    }
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
    requireShape(fisher, layer.weight().shape());
    return fisher;
  }

  private void requireShape(TensorView found, Shape expected) {
    if (!found.shape().equals(expected)) {
      throw new MismatchException(
          "Fisher information of another shape",
          statistics.path() + "|" + found.name(),
          "expected " + expected + ", found " + found.shape(),
          "compute the statistics of this model");
    }
  }

  private static void requireInformation(double value, String where, String place) {
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw new NonFiniteException(
          "invalid Fisher information",
          where,
          "expected a finite number >= 0, found " + value + " " + place,
          "compute the statistics again");
    }
  }

  /** Stored row by stored row, so that no more than one is ever decoded. */
  private void sum(TensorView fisher, Layer layer, double[] perOutput, double[] perInput) {
    int rows = layer.transposed() ? layer.storedIn() : layer.storedOut();
    double[] row = new double[Math.toIntExact(fisher.elements() / rows)];
    String where = statistics.path() + "|" + fisher.name();
    int[] outputs = places(layer.outputs(), layer.storedOut());
    int[] inputs = places(layer.inputs(), layer.storedIn());
    for (int i = 0; i < rows; i++) {
      fisher.read((long) i * row.length, row.length, row);
      for (int k = 0; k < row.length; k++) {
        requireInformation(row[k], where, "in row " + i + ", column " + k);
        int output = outputs[layer.transposed() ? k : i];
        int input = inputs[layer.transposed() ? i : k];
        if (output >= 0 && input >= 0) {
          perOutput[output] += row[k];
          perInput[input] += row[k];
        }
      }
    }
  }

  /** Where among those of a part each index of the whole is; −1: nowhere. */
  private static int[] places(int[] part, int whole) {
    int[] places = new int[whole];
    Arrays.fill(places, -1);
    for (int i = 0; i < part.length; i++) {
      places[part[i]] = i;
    }
    return places;
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
