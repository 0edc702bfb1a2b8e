package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/**
 * y = x̂ ⊙ w + b with x̂ = (x − mean) / √(variance + ε) over the last axis, the variance not
 * corrected for the sample.
 *
 * @param ones and {@code zeros}: the affine part of the engine's own operator, made void so that x̂
 *     can be had
 */
public record LayerNorm(
    Parameter weight, Parameter bias, NDArray ones, NDArray zeros, double epsilon) {

  public NDArray forward(NDArray x, Tape tape) {
    Shape width = ones.getShape();
    NDArray standardized =
        ai.djl.nn.norm.LayerNorm.layerNorm(x, width, ones, zeros, (float) epsilon)
            .singletonOrThrow();
    NDArray scaled = standardized.mul(weight.value());
    return tape.recordShifted(scaled, bias, new Use.Scale(weight, standardized));
  }
}
