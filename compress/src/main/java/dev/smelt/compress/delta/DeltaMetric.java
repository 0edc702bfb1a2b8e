package dev.smelt.compress.delta;

import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.compress.metric.FisherMetric;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.Optional;

/** A metric as it applies to a change. */
final class DeltaMetric {

  private DeltaMetric() {}

  /** Of tables there is Fisher information, but no products of inputs or gradients. */
  static Metric.Weighted weighting(Metric metric, LinearAlgebra algebra, ChangedMatrix matrix) {
    boolean applies =
        !matrix.table() || metric instanceof PlainMetric || metric instanceof FisherMetric;
    return applies
        ? metric.weighting(algebra, matrix.layer())
        : new Metric.Weighted(Weighting.NONE, 0, Optional.of("a table: plain metric"));
  }
}
