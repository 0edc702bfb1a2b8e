package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import java.util.Optional;

/**
 * Puts factors of integers together with their scales, checked.
 *
 * <table>
 * <caption>A factor X in integers</caption>
 * <tr><th>tensor</th><th>type</th><th>shape</th></tr>
 * <tr><td>{@code X}</td><td>I8</td><td>[rows, …], as in floats</td></tr>
 * <tr><td>{@code X_scale}</td><td>F32</td><td>[rows, 1]: finite, at least 0</td></tr>
 * </table>
 */
final class ScaledFactor {

  private ScaledFactor() {}

  /**
   * @param stored of the checkpoint
   * @throws NotFoundException when integers have no scales
   * @throws CorruptException when there are scales of another shape or type, or of floats
   * @throws NonFiniteException when a scale is a NaN or an infinity
   */
  static TensorView of(Checkpoint checkpoint, TensorView stored) {
    String name = LowRank.scaleOf(stored.name());
    String where = checkpoint.path() + "|" + name;
    Optional<TensorView> found = checkpoint.find(name);
    if (stored.dtype() != DType.I8) {
      if (found.isPresent()) {
        throw corrupt(where, "expected none beside " + stored.dtype().label() + " factors");
      }
      return stored;
    }
    if (stored.shape().rank() == 0 || stored.elements() == 0) {
      throw corrupt(
          checkpoint.path() + "|" + stored.name(), "expected a matrix, found " + stored.shape());
    }
    Shape expected = Shape.of(stored.shape().size(0), 1);
    TensorView scales =
        found.orElseThrow(
            () ->
                new NotFoundException(
                    "factor of integers without scales",
                    checkpoint.path().toString(),
                    "expected '" + name + "' F32 " + expected,
                    "make the checkpoint again"));
    if (scales.dtype() != DType.F32 || !scales.shape().equals(expected)) {
      throw corrupt(
          where,
          String.format(
              "expected F32 %s, found %s %s", expected, scales.dtype().label(), scales.shape()));
    }
    requireScales(where, scales.toFloats());
    return TensorView.scaled(stored, scales);
  }

  private static void requireScales(String where, float[] scales) {
    for (int row = 0; row < scales.length; row++) {
      if (!Float.isFinite(scales[row])) {
        throw new NonFiniteException(
            "scale of a factor is not finite",
            where,
            "found " + scales[row] + " for row " + row,
            "make the checkpoint again");
      }
      if (scales[row] < 0) {
        throw corrupt(where, "expected scales >= 0, found " + scales[row] + " for row " + row);
      }
    }
  }

  private static CorruptException corrupt(String where, String what) {
    return new CorruptException(
        "scales do not fit their factor", where, what, "make the checkpoint again");
  }
}
