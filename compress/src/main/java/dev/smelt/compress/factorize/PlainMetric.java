package dev.smelt.compress.factorize;

/** L = R = I: the truncated SVD (Eckart and Young, Psychometrika 1, 1936). */
public record PlainMetric() implements Metric {

  @Override
  public String name() {
    return "plain";
  }

  @Override
  public Weighting weighting(Layer layer) {
    return Weighting.NONE;
  }
}
