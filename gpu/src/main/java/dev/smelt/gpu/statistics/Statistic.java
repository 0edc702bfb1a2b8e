package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * What is known of a parameter from N examples with gradients gₙ. A matrix has {@code out} rows and
 * {@code in} columns, whatever the order in which it is stored; x [T, in] are the inputs of its
 * layer and δ = ∂ℓ/∂y [T, out] the gradients of its outputs.
 */
public enum Statistic {
  /** F = (1/N) Σₙ gₙ ⊙ gₙ, in the parameter's shape. */
  DIAG("diag", "diag/"),
  /** Σⱼ Fᵢⱼ for every output i of a matrix, [out]. */
  ROWS("rows", "rows/"),
  /** Σᵢ Fᵢⱼ for every input j of a matrix, [in]. */
  COLS("cols", "cols/"),
  /** (1/N) Σ x xᵀ over all positions, [in, in]. */
  INPUT_GRAM("input-gram", "input_gram/"),
  /** (1/N) Σ δ δᵀ over all positions, [out, out]. */
  GRAD_GRAM("grad-gram", "grad_gram/"),
  /** ḡ = (1/N) Σₙ gₙ in the parameter's shape: ḡ ḡᵀ is the Fisher matrix of rank 1. */
  MEAN_GRADIENT("mean-gradient", "mean_gradient/"),
  /** (1/N) Σ x ⊙ x over all positions, [in]: the diagonal of {@link #INPUT_GRAM}. */
  INPUT_NORMS("input-norms", "input_norms/"),
  /**
   * (1/N) Σ over all positions of |w_jk x_k| / Σ_l |w_jl x_l|, what each weight contributes to its
   * output; 0 where the denominator is. In the parameter's shape.
   *
   * <p>Chen et al., relative importance, arXiv 2410.16151.
   */
  CONTRIBUTION("contribution", "contribution/"),
  /**
   * d · mean log r₂₅ of the hidden states before block k, or behind the last, in nats, [1]: the
   * part of their differential entropy that differs between blocks, see {@link NeighbourEntropy}.
   */
  ENTROPY("entropy", "entropy/");

  private static final String WEIGHT = ".weight";

  private final String option;
  private final String prefix;

  Statistic(String option, String prefix) {
    this.option = option;
    this.prefix = prefix;
  }

  /**
   * Reads the names used on the command line.
   *
   * @throws UsageException on anything else
   */
  public static Statistic parse(String text) {
    for (Statistic statistic : values()) {
      if (statistic.option.equals(text)) {
        return statistic;
      }
    }
    throw new UsageException(
        "no such statistic '" + text + "'",
        "use "
            + Arrays.stream(values()).map(Statistic::toString).collect(Collectors.joining(", ")));
  }

  /** What names of tensors begin with in a statistics file. */
  public String prefix() {
    return prefix;
  }

  /** Whether it has the shape of its parameter, and its name. */
  public boolean isPerElement() {
    return this == DIAG || this == MEAN_GRADIENT || this == CONTRIBUTION;
  }

  /** Whether it is of the inputs and outputs of linear maps, so that these must be known. */
  boolean isOfLinearMaps() {
    return this == INPUT_GRAM || this == GRAD_GRAM || this == INPUT_NORMS || this == CONTRIBUTION;
  }

  /** Whether a forward pass does not tell it. */
  boolean needsGradients() {
    return switch (this) {
      case DIAG, ROWS, COLS, GRAD_GRAM, MEAN_GRADIENT -> true;
      case INPUT_GRAM, INPUT_NORMS, CONTRIBUTION, ENTROPY -> false;
    };
  }

  /** Whether it is a sum of squares of gradients. */
  public boolean isFisher() {
    return this == DIAG || this == ROWS || this == COLS;
  }

  /**
   * The name of its tensor: by parameter, or by module for what only matrices have; that of {@link
   * #ENTROPY} by the number of the block.
   */
  public String tensorName(String parameter) {
    boolean module = !isPerElement() && parameter.endsWith(WEIGHT);
    return prefix
        + (module ? parameter.substring(0, parameter.length() - WEIGHT.length()) : parameter);
  }

  @Override
  public String toString() {
    return option;
  }
}
