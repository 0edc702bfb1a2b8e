package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/** Computes what factors, as they are stored, miss of their matrix. */
final class Certifier {

  private final ComputeDevice device;
  private final Metric metric;

  Certifier(ComputeDevice device, Metric metric) {
    this.device = device;
    this.metric = metric;
  }

  Certificate certify(Layer layer, Factors factors) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      return Certificate.of(
          algebra,
          layer.load(algebra),
          load(algebra, factors.a(), layer.out(), factors.rank()),
          load(algebra, factors.b(), factors.rank(), layer.in()),
          metric.weighting(algebra, layer).weighting());
    }
  }

  private static Matrix load(LinearAlgebra algebra, TensorView factor, int rows, int cols) {
    return algebra.matrix(rows, cols, factor.toDoubles());
  }
}
