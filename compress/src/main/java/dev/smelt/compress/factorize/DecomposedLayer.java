package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Route;
import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.TensorView;
import java.util.Optional;

/**
 * A layer with its singular directions, from which factors of every rank up to k are cut.
 *
 * @param lossPerEnergy see {@link dev.smelt.compress.lowrank.Weighting}
 * @param shrinkage see {@link Metric.Weighted}
 * @param left [k, out]: the columns of A, one after another
 * @param right [k, in]: the rows of B
 */
record DecomposedLayer(
    Layer layer,
    Spectrum spectrum,
    double lossPerEnergy,
    double shrinkage,
    Optional<String> remark,
    Route route,
    TensorView left,
    TensorView right) {

  /** k, the largest rank that can be cut from it. */
  int reach() {
    return Math.toIntExact(right.shape().size(0));
  }
}
