package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.Curvature;
import dev.smelt.compress.prune.InputRoot;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Coupling;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.engine.Precision;
import java.util.Arrays;

/**
 * How the inputs of a layer that stay make up for those that go; all in f64.
 *
 * @see UnitScoring.Surgeon
 */
final class Compensation {

  private final Units units;
  private final UnitScoring.Surgeon surgeon;

  Compensation(Units units, UnitScoring.Surgeon surgeon) {
    this.units = units;
    this.surgeon = surgeon;
  }

  /**
   * A of a layer.
   *
   * @param diagonal δμ; 1 where A is 0, and any unit is as good as another
   */
  private record Inputs(TensorView gram, double diagonal) {}

  private Inputs inputs(Layer layer) {
    Curvature.Gram gram = surgeon.gram().of(layer);
    double mean = gram.meanDiagonal();
    return new Inputs(gram.view(), mean > 0 ? surgeon.gram().damping() * mean : 1);
  }

  /** ‖W_S [(H⁻¹)_SS]^(−1/2)‖² / tr(WHWᵀ) for the inputs S of each unit. */
  double[] scores(Coupling coupling) {
    Coupling.Member consumer = coupling.consumer();
    Layer layer = units.consumer(coupling);
    Inputs inputs = inputs(layer);
    double[] scores = new double[coupling.units()];
    try (LinearAlgebra algebra = surgeon.device().linearAlgebra()) {
      Matrix w = layer.load(algebra, Precision.F64);
      Matrix weights = algebra.transpose(w);
      Matrix columns;
      double all;
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix h = inner.loadShifted(inputs.gram(), 1, inputs.diagonal());
        InputRoot root = surgeon.gram().root(inner, h, layer);
        all = squared(root.norm(inner, w));
        // Its row k is column k of U, and H⁻¹ = UᵀU.
        columns = algebra.keep(inner.transpose(root.inverse(inner)));
      }
      for (int unit = 0; unit < scores.length; unit++) {
        int[] own = consumer.indices(unit);
        int end = own[0] + own.length;
        try (LinearAlgebra inner = algebra.inner()) {
          Matrix inverse = inner.gram(inner.rows(columns, own[0], end));
          Matrix removed = inner.rows(weights, own[0], end);
          Matrix lost = inner.solveLower(inner.cholesky(inverse), removed);
          // A matrix of zeros loses nothing.
          scores[unit] = all > 0 ? squared(inner.frobenius(lost)) / all : 0;
        }
      }
    }
    return scores;
  }

  private static double squared(double x) {
    return x * x;
  }

  /**
   * Ŵ_R = W_R + W_S H_SR (H_RR)⁻¹.
   *
   * @param gone units whose inputs are S, ascending, neither none nor all
   * @param cut what of the matrix that reads them stays, which is R
   */
  Fate.Refitted refit(Coupling coupling, int[] gone, Fate.Cut cut, StoredTensors stored) {
    Layer layer = units.consumer(coupling);
    Inputs inputs = inputs(layer);
    TensorView weight = cut.input();
    int[] kept = cut.kept();
    int[] lost = coupling.consumer().indices(gone);
    boolean transposed = layer.transposed();
    try (LinearAlgebra algebra = surgeon.device().linearAlgebra();
        Scratch temporary = Storage.local().scratch(stored.place())) {
      Matrix change;
      try (LinearAlgebra inner = algebra.inner()) {
        TensorView rows = Slicer.cut(inputs.gram(), 0, kept, temporary);
        TensorView square = Slicer.cut(rows, 1, kept, temporary);
        TensorView beside = Slicer.cut(rows, 1, lost, temporary);
        Matrix removed = load(inner, Slicer.cut(weight, cut.axis(), lost, temporary), !transposed);
        Matrix target = inner.multiply(load(inner, beside, false), removed);
        Matrix root = root(inner, inner.loadShifted(square, 1, inputs.diagonal()), layer);
        change = algebra.keep(inner.solveLowerTransposed(root, inner.solveLower(root, target)));
      }
      double[] values = Slicer.left(cut, temporary).toDoubles();
      double[] added = (transposed ? change : algebra.transpose(change)).toDoubles();
      Arrays.setAll(values, i -> values[i] + added[i]);
      TensorInfo info = cut.output();
      TensorView fitted = stored.of(info.name(), stored.typeOf(weight), info.shape(), values);
      double error = OutputError.of(surgeon.device(), layer, fitted, kept, inputs.gram());
      return new Fate.Refitted(cut, fitted, error);
    }
  }

  private Matrix root(LinearAlgebra algebra, Matrix h, Layer layer) {
    try {
      return algebra.cholesky(h);
    } catch (NotPositiveDefiniteException e) {
      throw surgeon.gram().singular(layer);
    }
  }

  private static Matrix load(LinearAlgebra algebra, TensorView view, boolean transposed) {
    return algebra.load(view, Precision.F64, transposed);
  }
}
