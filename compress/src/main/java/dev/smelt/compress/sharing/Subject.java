package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.Widths;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.Curvature;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.Optional;

/**
 * A matrix that may share a basis: W of one of several models, or what it changed of the base's.
 *
 * @param model its place among the models
 * @param base the same layer of the base, as it will be stored
 * @param metric in which its error counts
 * @param sides what the metric says of the layer: to ask it again may mean to read a file again
 */
record Subject(int model, Layer layer, Optional<Layer> base, Metric metric, Curvature.Sides sides) {

  static Subject of(int model, Layer layer, Optional<Layer> base, Metric metric) {
    return new Subject(model, layer, base, metric, metric.sides(layer));
  }

  /** W or W − W₀, out×in in f64. */
  Matrix load(LinearAlgebra algebra) {
    Matrix w = layer.load(algebra, Precision.F64);
    return base.isEmpty() ? w : algebra.subtract(w, base.get().load(algebra, Precision.F64));
  }

  /** What an element takes where the matrix stays as it is, and in factors. */
  Widths widths(StoredTensors stored) {
    return new Widths(
        stored.typeOf(layer.weight()).bits(), stored.typeOfFactors(layer.weight()).dtype().bits());
  }

  /** What the matrix takes where it stays as it is. */
  long denseBytes(StoredTensors stored) {
    return layer.elements() * widths(stored).dense() / Byte.SIZE;
  }

  boolean isPlain() {
    return metric instanceof PlainMetric;
  }

  /**
   * Whether the data say anything of it; without, its error would count for nothing whatever it is.
   */
  boolean isInformed() {
    return sides.left().meanDiagonal() > 0 && sides.right().meanDiagonal() > 0;
  }

  /** A part of the matrix, or all of it. */
  Subject part(Layer part) {
    return part.equals(layer) ? this : of(model, part, base, metric);
  }

  /** The same matrix, all its elements alike. */
  Subject plain() {
    return of(model, layer, base, new PlainMetric());
  }
}
