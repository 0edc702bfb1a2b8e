package dev.smelt.compress.spectrum;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Decomposes the matrices of a checkpoint, one after another: those of attention and feed-forward
 * layers, or the included ones.
 */
public final class SpectrumAnalysis {

  /**
   * Eigenvalues of a Gram matrix in f64 are good to 1e-16 of the largest, so their roots, the
   * singular values, to 1e-8; below some distance from that the matrix itself is decomposed.
   */
  private static final double GRAM_RESOLUTION = 1e-7;

  private SpectrumAnalysis() {}

  /**
   * @param base subtracted first, where one is given: the spectra are those of what changed
   * @throws MismatchException when the base lacks a matrix or has it in another shape
   * @throws UsageException when there is nothing to decompose, or a tensor that is no float matrix
   *     is included
   * @throws NonFiniteException when a matrix holds a NaN or an infinity
   */
  public static List<MatrixSpectrum> of(
      Checkpoint checkpoint,
      Optional<Checkpoint> base,
      NamePatterns selection,
      ComputeDevice device,
      Progress progress) {
    List<TensorView> matrices = select(checkpoint, selection);
    List<MatrixSpectrum> spectra = new ArrayList<>();
    try (Progress.Task task = progress.begin("decomposing", matrices.size(), "matrices")) {
      for (TensorView matrix : matrices) {
        spectra.add(spectrum(checkpoint, matrix, base, device));
        task.advance(1);
      }
    }
    return spectra;
  }

  private static List<TensorView> select(Checkpoint checkpoint, NamePatterns selection) {
    LowRank.requireDense(checkpoint);
    selection.requireMatches(checkpoint);
    Architecture architecture = Architecture.of(checkpoint.config());
    List<TensorView> matrices = new ArrayList<>();
    for (TensorView view : checkpoint.tensors()) {
      boolean wanted =
          selection.include().isEmpty()
              ? architecture.role(view.info()).isBlockMatrix()
              : selection.isIncluded(view.name());
      if (wanted && selection.selects(view.name())) {
        if (!view.shape().isMatrix() || !view.dtype().isFloat() || view.elements() == 0) {
          throw new UsageException(
              String.format(
                  "%s of %s is no float matrix but %s %s",
                  view.name(), checkpoint.path(), view.dtype().label(), view.shape()),
              "narrow --include or pass --exclude " + view.name());
        }
        matrices.add(view);
      }
    }
    if (matrices.isEmpty()) {
      throw new UsageException(
          "no matrix to decompose in " + checkpoint.path(),
          "see smelt inspect, then use --include");
    }
    return matrices;
  }

  private static MatrixSpectrum spectrum(
      Checkpoint checkpoint, TensorView view, Optional<Checkpoint> base, ComputeDevice device) {
    double[] values = finite(checkpoint, view);
    if (base.isPresent()) {
      double[] start = finite(base.get(), counterpart(view, base.get()));
      for (int i = 0; i < values.length; i++) {
        values[i] -= start[i];
      }
    }
    int rows = Math.toIntExact(view.shape().size(0));
    int cols = Math.toIntExact(view.shape().size(1));
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix matrix = algebra.matrix(rows, cols, values);
      return new MatrixSpectrum(view.name(), view.shape(), singularValues(algebra, matrix));
    }
  }

  private static TensorView counterpart(TensorView view, Checkpoint base) {
    Architecture architecture = Architecture.of(base.config());
    String bare = architecture.bareName(view.name());
    return base.tensors().stream()
        .filter(other -> architecture.bareName(other.name()).equals(bare))
        .filter(other -> other.shape().equals(view.shape()) && other.dtype().isFloat())
        .findFirst()
        .orElseThrow(
            () ->
                new MismatchException(
                    "the base has no such matrix",
                    base.path() + "|" + view.name(),
                    "expected floats " + view.shape(),
                    "pass --exclude " + view.name()));
  }

  private static double[] finite(Checkpoint checkpoint, TensorView view) {
    view.firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "non-finite value",
                  checkpoint.path() + "|" + view.name(),
                  "found a NaN or an infinity at index " + index,
                  "repair the model or pass --exclude " + view.name());
            });
    return view.toDoubles();
  }

  static double[] singularValues(LinearAlgebra algebra, Matrix matrix) {
    double norm = algebra.frobenius(matrix);
    int exponent = norm == 0 ? 0 : Math.getExponent(norm);
    double[] unit = new double[matrix.rows()];
    Arrays.fill(unit, Math.scalb(1.0, -exponent));
    // In units of a power of two near the norm, squares stay within f64.
    Matrix scaled = algebra.scaleRows(matrix, unit);
    boolean wide = matrix.rows() <= matrix.cols();
    double[] values =
        algebra.eigh(algebra.gram(wide ? scaled : algebra.transpose(scaled))).values();
    for (int i = 0; i < values.length; i++) {
      // Rounding can leave eigenvalues of a singular Gram matrix below zero.
      values[i] = Math.sqrt(Math.max(0, values[i]));
    }
    if (values[values.length - 1] <= GRAM_RESOLUTION * values[0]) {
      values = algebra.svd(scaled).s();
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.scalb(values[i], exponent);
    }
    return values;
  }
}
