package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.Curvature;
import dev.smelt.compress.metric.Grams;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Coupling;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * How the inputs of a layer that stay make up for those that go.
 *
 * @see UnitScoring.Surgeon
 */
final class Compensation {

  private final Checkpoint checkpoint;
  private final UnitScoring.Surgeon surgeon;

  Compensation(Checkpoint checkpoint, UnitScoring.Surgeon surgeon) {
    this.checkpoint = checkpoint;
    this.surgeon = surgeon;
  }

  private Layer layer(Coupling.Member consumer) {
    return new Layer(
        checkpoint.path(),
        consumer.module(),
        consumer.weight(),
        consumer.transposed(),
        Optional.empty());
  }

  /** A, row-major. */
  private double[] gram(Layer layer) {
    Curvature.Gram gram = Grams.ofInputs(surgeon.statistics(), layer);
    return gram.toDoubles();
  }

  /** A + δμI; I where A is 0. */
  private double[] damped(double[] gram, int n) {
    double trace = 0;
    for (int i = 0; i < n; i++) {
      trace += gram[i * n + i];
    }
    double diagonal = trace > 0 ? surgeon.damping() * trace / n : 1;
    double[] damped = gram.clone();
    for (int i = 0; i < n; i++) {
      damped[i * n + i] += diagonal;
    }
    return damped;
  }

  /** ‖W_S [(H⁻¹)_SS]^(−1/2)‖² for the inputs S of each unit. */
  double[] scores(Coupling coupling) {
    Coupling.Member consumer = coupling.consumer();
    Layer layer = layer(consumer);
    int n = consumer.size();
    double[] w = finite(layer);
    double[] scores = new double[coupling.units()];
    try (LinearAlgebra algebra = surgeon.device().linearAlgebra()) {
      Matrix root = algebra.cholesky(algebra.matrix(n, n, damped(gram(layer), n)));
      Matrix inverse = algebra.solveLower(root, algebra.identity(n, root.precision()));
      // Row k is column k of L⁻¹, and H⁻¹ = L⁻ᵀL⁻¹.
      Matrix columns = algebra.transpose(inverse);
      for (int unit = 0; unit < scores.length; unit++) {
        int[] inputs = consumer.indices(unit);
        try (LinearAlgebra inner = algebra.inner()) {
          Matrix own = inner.rows(columns, inputs[0], inputs[0] + inputs.length);
          Matrix h = inner.cholesky(inner.gram(own));
          Matrix removed =
              inner.matrix(inputs.length, layer.out(), transposedColumns(w, n, inputs));
          double norm = inner.frobenius(inner.solveLower(h, removed));
          scores[unit] = norm * norm;
        }
      }
    }
    return scores;
  }

  private static double[] finite(Layer layer) {
    layer.requireFinite();
    return layer.toDoubles();
  }

  /** Columns of a row-major W with n columns, each a row. */
  private static double[] transposedColumns(double[] w, int n, int[] columns) {
    int out = w.length / n;
    double[] rows = new double[columns.length * out];
    for (int k = 0; k < columns.length; k++) {
      for (int i = 0; i < out; i++) {
        rows[k * out + i] = w[i * n + columns[k]];
      }
    }
    return rows;
  }

  /** Rows and columns of a row-major A with n columns. */
  private static double[] block(double[] a, int n, int[] rows, int[] columns) {
    double[] block = new double[rows.length * columns.length];
    for (int i = 0; i < rows.length; i++) {
      for (int k = 0; k < columns.length; k++) {
        block[i * columns.length + k] = a[rows[i] * n + columns[k]];
      }
    }
    return block;
  }

  /**
   * Ŵ_R = W_R + W_S H_SR (H_RR)⁻¹.
   *
   * @param gone S, ascending, neither none nor all inputs
   * @param what is left out, for people
   */
  Fate.Refitted refit(Coupling.Member consumer, int[] gone, String what, StoredTensors stored) {
    Layer layer = layer(consumer);
    int n = consumer.size();
    int out = layer.out();
    int[] kept = IntStream.range(0, n).filter(k -> Arrays.binarySearch(gone, k) < 0).toArray();
    double[] w = finite(layer);
    double[] gram = gram(layer);
    double[] h = damped(gram, n);
    double[] fitted = new double[out * kept.length];
    try (LinearAlgebra algebra = surgeon.device().linearAlgebra()) {
      Matrix root =
          algebra.cholesky(algebra.matrix(kept.length, kept.length, block(h, n, kept, kept)));
      Matrix cross = algebra.matrix(kept.length, gone.length, block(h, n, kept, gone));
      Matrix removed = algebra.matrix(gone.length, out, transposedColumns(w, n, gone));
      Matrix target = algebra.multiply(cross, removed);
      // H_RR⁻¹ H_RS W_Sᵀ, R×out.
      double[] change =
          algebra.solveLowerTransposed(root, algebra.solveLower(root, target)).toDoubles();
      for (int i = 0; i < out; i++) {
        for (int k = 0; k < kept.length; k++) {
          fitted[i * kept.length + k] = w[i * n + kept[k]] + change[k * out + i];
        }
      }
    }
    TensorInfo cut = Slicer.cutInfo(consumer.weight().info(), consumer.storedAxis(), kept.length);
    double[] asStored = consumer.transposed() ? transpose(fitted, out, kept.length) : fitted;
    TensorView values =
        stored.of(cut.name(), stored.typeOf(consumer.weight()), cut.shape(), asStored);
    double error = error(w, rounded(values, consumer, out, kept, n), gram, n);
    return new Fate.Refitted(consumer.weight(), values, what, error);
  }

  private static double[] transpose(double[] a, int rows, int columns) {
    double[] transposed = new double[a.length];
    for (int i = 0; i < rows; i++) {
      for (int k = 0; k < columns; k++) {
        transposed[k * rows + i] = a[i * columns + k];
      }
    }
    return transposed;
  }

  /** Ŵ as it is stored, with zeros where inputs are gone, out×n. */
  private static double[] rounded(
      TensorView values, Coupling.Member consumer, int out, int[] kept, int n) {
    double[] asStored = values.toDoubles();
    double[] fitted = consumer.transposed() ? transpose(asStored, kept.length, out) : asStored;
    double[] whole = new double[out * n];
    for (int i = 0; i < out; i++) {
      for (int k = 0; k < kept.length; k++) {
        whole[i * n + kept[k]] = fitted[i * kept.length + k];
      }
    }
    return whole;
  }

  /** √(tr(ΔAΔᵀ) / tr(WAWᵀ)), Δ = W − Ŵ; 0 where there are no outputs. */
  private double error(double[] w, double[] fitted, double[] gram, int n) {
    double[] difference = new double[w.length];
    Arrays.setAll(difference, i -> w[i] - fitted[i]);
    double all = energy(w, gram, n);
    return all > 0 ? Math.sqrt(Math.max(0, energy(difference, gram, n)) / all) : 0;
  }

  private double energy(double[] w, double[] gram, int n) {
    try (LinearAlgebra algebra = surgeon.device().linearAlgebra()) {
      Matrix values = algebra.matrix(w.length / n, n, w);
      Matrix products = algebra.multiply(values, algebra.matrix(n, n, gram));
      double[] a = products.toDoubles();
      double sum = 0;
      for (int i = 0; i < w.length; i++) {
        sum += a[i] * w[i];
      }
      return sum;
    }
  }
}
