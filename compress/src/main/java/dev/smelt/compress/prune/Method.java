package dev.smelt.compress.prune;

/** How weights are taken. */
public sealed interface Method {

  /** Those with the smallest scores; the others stay as they are. */
  record ByScore(Criterion criterion) implements Method {}

  /**
   * Likewise, and the others of the same output become what loses least of the layer's outputs.
   *
   * @param gram of the inputs
   */
  record Refitted(Criterion criterion, InputGram gram) implements Method {}

  /**
   * Input after input, with scores by what the weights are by then, of which those of later inputs
   * make up for what goes.
   */
  record Sequential(InputGram gram) implements Method {}
}
