package dev.smelt.compress.structure;

import dev.smelt.compress.prune.Criterion;
import dev.smelt.compress.prune.InputGram;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/** What makes a unit, head or block worth keeping. */
public sealed interface UnitScoring {

  /** The sum of the scores of its weights, over all matrices that become smaller with it. */
  record Summed(Criterion criterion) implements UnitScoring {}

  /**
   * By how much the outputs of the layer that reads it change, when the remaining inputs make up
   * for it as far as they can; they are made to do so. With A = E[x xᵀ] over the inputs x of that
   * layer, H = A + δμI, μ the mean of the diagonal of A, and S the inputs of a unit, the score is
   * ‖W_S [(H⁻¹)_SS]^(−1/2)‖² / tr(WHWᵀ), a share of that layer's outputs, and once all inputs S
   * that go are known, those that stay get
   *
   * <pre>  Ŵ_R = W_R + W_S H_SR (H_RR)⁻¹</pre>
   *
   * <p>Hassibi and Stork, "Second order derivatives for network pruning: Optimal brain surgeon",
   * NIPS 1992, for several weights at a time.
   *
   * @param gram A, and δ
   */
  record Surgeon(InputGram gram, ComputeDevice device) implements UnitScoring {}

  /**
   * How much a block adds to the entropy of the hidden states: ΔH = H(behind) − H(before). The
   * first two and the last are never left out.
   *
   * @param statistics with {@link Statistic#ENTROPY} before each block and behind the last
   */
  record Entropy(Statistics statistics) implements UnitScoring {

    static final int FIRST_PROTECTED = 2;
    static final int LAST_PROTECTED = 1;
  }

  /** As on the command line. */
  default String name() {
    return switch (this) {
      case Summed(Criterion criterion) -> criterion.name();
      case Surgeon _ -> "obs";
      case Entropy _ -> "block-entropy";
    };
  }

  /**
   * @throws UsageException when units of that pattern have no such score
   */
  default void requireFit(StructurePattern pattern) {
    boolean blocks = pattern == StructurePattern.BLOCKS;
    if (this instanceof Surgeon && blocks) {
      throw new UsageException(
          "--criterion obs scores inputs of layers, and blocks are none",
          "use --criterion block-entropy, or another pattern");
    }
    if (this instanceof Entropy && !blocks) {
      throw new UsageException(
          "--criterion block-entropy scores blocks, not " + pattern.units(),
          "use --pattern blocks, or another criterion");
    }
  }
}
