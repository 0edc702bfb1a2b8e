package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;

/**
 * What a backward pass of a batch says of one parameter: gₙ for every example n, never formed where
 * a sum over examples can be had without.
 *
 * <p>A linear map with inputs X [T, in] and output gradients Δ [T, out] of one example has the
 * gradient ΔᵀX. A table is such a map of one-hot vectors. A parameter with several uses has the sum
 * of their gradients, and sums are squared after that.
 *
 * @param uses in the order of the forward pass, at least one
 */
public record ParameterGradients(
    Parameter parameter, List<UsedWith> uses, Positions positions, ScriptFunctions functions) {

  public ParameterGradients {
    uses = List.copyOf(uses);
  }

  public String name() {
    return parameter.name();
  }

  /**
   * Adds Σₙ gₙ ⊙ gₙ.
   *
   * @param temporary owns what is made on the way
   * @param total in the parameter's shape
   */
  public void addSquares(NDManager temporary, Total total) {
    new SquareSums(this, temporary).add(total);
  }

  /**
   * Adds Σₙ Σⱼ (gₙ)ᵢⱼ² for every output i.
   *
   * @param temporary owns what is made on the way
   * @param total [out]
   */
  public void addRows(NDManager temporary, Total total) {
    new LineSums(this, temporary).addRows(total);
  }

  /**
   * Adds Σₙ Σᵢ (gₙ)ᵢⱼ² for every input j.
   *
   * @param temporary owns what is made on the way
   * @param total [in]
   */
  public void addColumns(NDManager temporary, Total total) {
    new LineSums(this, temporary).addColumns(total);
  }

  /**
   * Adds Σ x xᵀ over examples and positions, of uses in the one way that the parameter is a matrix.
   *
   * @param temporary owns what is made on the way
   * @param total [in, in]
   */
  public void addInputGram(NDManager temporary, Total total) {
    new InputSums(this, temporary).addGram(total);
  }

  /**
   * Adds Σ x ⊙ x over examples and positions, of uses in the one way that the parameter is a
   * matrix.
   *
   * @param temporary owns what is made on the way
   * @param total [in]
   */
  public void addInputNorms(NDManager temporary, Total total) {
    new InputSums(this, temporary).addNorms(total);
  }

  /**
   * Adds Σ |w_jk x_k| / Σ_l |w_jl x_l| over examples and positions, of uses in the one way that the
   * parameter is a matrix.
   *
   * @param temporary owns what is made on the way
   * @param total in the parameter's shape
   */
  public void addContributions(NDManager temporary, Total total) {
    new InputSums(this, temporary).addContributions(total);
  }

  /**
   * Adds Σ δ δᵀ over examples and positions, of uses in the one way that the parameter is a matrix.
   *
   * @param temporary owns what is made on the way
   * @param total [out, out]
   */
  public void addOutputGram(NDManager temporary, Total total) {
    new ProductSums(this, temporary).addOutputGram(total);
  }

  /**
   * Adds Σₙ gₙ.
   *
   * @param temporary owns what is made on the way
   * @param total in the parameter's shape
   */
  public void addSum(NDManager temporary, Total total) {
    new ProductSums(this, temporary).addGradient(total);
  }

  /** Which way the parameter is a matrix. */
  Layout layout() {
    return MatrixForm.layout(uses.stream().map(UsedWith::use));
  }

  /** The parameter as two axes, the first and all others. */
  Shape storedMatrix() {
    dev.smelt.formats.Shape shape = parameter.info().shape();
    long first = shape.rank() < 2 ? 1 : shape.size(0);
    return new Shape(first, shape.elements() / Math.max(1, first));
  }
}
