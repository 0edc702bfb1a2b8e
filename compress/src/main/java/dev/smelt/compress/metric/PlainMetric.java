package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.gpu.engine.LinearAlgebra;

/** L = R = I: the truncated SVD (Eckart and Young, Psychometrika 1, 1936). */
public record PlainMetric() implements Metric {

  @Override
  public String name() {
    return "plain";
  }

  @Override
  public boolean predictsLoss() {
    return false;
  }

  @Override
  public Weighted weighting(LinearAlgebra algebra, Layer layer) {
    return Weighted.of(Weighting.NONE);
  }

  @Override
  public Curvature.Sides sides(Layer layer) {
    return new Curvature.Sides(new Curvature.Flat(), new Curvature.Flat());
  }

  @Override
  public double damping() {
    return 0;
  }
}
