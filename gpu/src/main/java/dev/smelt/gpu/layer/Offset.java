package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * A learned tensor that is the same for every example: [1, T, width]. Seen as one long vector it is
 * a bias, so its gradient for an example is Δ.
 */
public record Offset(Parameter values) {

  /**
   * For every example.
   *
   * @return [B, T, width], owned by {@code manager}
   */
  public NDArray repeated(NDManager manager, int batch, Tape tape) {
    NDArray flat = values.value().reshape(1, 1, values.info().elements());
    flat.attach(manager);
    NDArray repeated = flat.broadcast(new Shape(batch, 1, values.info().elements()));
    repeated.attach(manager);
    NDArray tapped = tape.recordSource(repeated, new Use.Shift(values));
    return tapped.reshape(batch, values.info().shape().size(1), values.info().shape().size(2));
  }

  /**
   * Added to every example.
   *
   * @param x [B, T, width]
   */
  public NDArray added(NDArray x, Tape tape) {
    Shape shape = x.getShape();
    NDArray flat = values.value().reshape(1, 1, values.info().elements());
    flat.attach(x.getManager());
    NDArray sum = x.reshape(shape.get(0), 1, values.info().elements()).add(flat);
    return tape.record(sum, new Use.Shift(values)).reshape(shape);
  }
}
