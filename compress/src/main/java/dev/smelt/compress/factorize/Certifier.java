package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

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
      Precision precision = layer.precision();
      return Certificate.of(
          algebra,
          layer.load(algebra, precision),
          load(algebra, factors.a(), precision),
          load(algebra, factors.b(), precision),
          metric.weighting(algebra, layer).weighting());
    }
  }

  /**
   * What factors miss of W − W₀, in f64: a difference has fewer digits than what it is one of.
   *
   * @param base W₀, stored as the layer's matrix is
   */
  Certificate certifyChange(Layer layer, TensorView base, Factors factors) {
    Layer before =
        new Layer(layer.checkpoint(), layer.module(), base, layer.transposed(), layer.part());
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      return Certificate.of(
          algebra,
          algebra.subtract(layer.load(algebra, Precision.F64), before.load(algebra, Precision.F64)),
          load(algebra, factors.a(), Precision.F64),
          load(algebra, factors.b(), Precision.F64),
          metric.weighting(algebra, layer).weighting());
    }
  }

  /** Factors may be stored more precisely than the matrix was; integers times scales are. */
  private static Matrix load(LinearAlgebra algebra, TensorView factor, Precision least) {
    boolean wide = factor.dtype() == DType.F64 || factor.scales().isPresent();
    Precision precision = wide ? Precision.F64 : least;
    return algebra.load(Layer.asMatrix(factor), precision, false);
  }
}
