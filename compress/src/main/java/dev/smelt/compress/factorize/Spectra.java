package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.lowrank.Decomposer;
import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.compress.lowrank.RouteOptions;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/** Decomposes layers and keeps the results on disk. */
final class Spectra {

  static final String LEFT = "left/";
  static final String RIGHT = "right/";

  private final ComputeDevice device;
  private final Metric metric;
  private final RouteOptions routes;
  private final StoredTensors stored;

  Spectra(ComputeDevice device, Metric metric, RouteOptions routes, StoredTensors stored) {
    this.device = device;
    this.metric = metric;
    this.routes = routes;
    this.stored = stored;
  }

  /**
   * @param reach how many directions are wanted, at least 1
   */
  DecomposedLayer decompose(Layer layer, int reach) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Metric.Weighted weighted = metric.weighting(algebra, layer);
      Matrix dense = layer.load(algebra);
      Decomposition found =
          new Decomposer(algebra, routes).decompose(dense, weighted.weighting(), reach);
      // The directions of an f64 model keep their digits; f32 is finer than any other stored type.
      DType kept = layer.weight().dtype() == DType.F64 ? DType.F64 : DType.F32;
      Matrix left = algebra.transpose(found.a());
      return new DecomposedLayer(
          layer,
          found.spectrum(),
          weighted.weighting().lossPerEnergy(),
          weighted.shrinkage(),
          weighted.remark(),
          found.route(),
          keep(LEFT + layer.module(), kept, left),
          keep(RIGHT + layer.module(), kept, found.b()));
    }
  }

  private TensorView keep(String name, DType dtype, Matrix matrix) {
    return stored.of(name, dtype, Shape.of(matrix.rows(), matrix.cols()), matrix.toDoubles());
  }
}
