package dev.smelt.formats.peft;

import dev.smelt.formats.TensorView;

/**
 * The low-rank change s·B·A of one module.
 *
 * @param module its name in the model as the adapter spells it
 * @param a [r, in]; of a table [r, V]
 * @param b [out, r]; of a table [d, r]
 * @param scale s
 * @param table whether the module is an embedding, whose change is the transpose, [V, d]
 */
public record AdapterFactors(
    String module, TensorView a, TensorView b, double scale, boolean table) {

  public int rank() {
    return Math.toIntExact(a.shape().size(0));
  }

  /** Rows of B·A: what a matrix puts out, or the width of a table. */
  public long rows() {
    return b.shape().size(0);
  }

  /** Columns of B·A: what a matrix takes in, or the rows of a table. */
  public long columns() {
    return a.shape().size(1);
  }

  /** Bytes that the adapter spends on it. */
  public long bytes() {
    return a.info().bytes() + b.info().bytes();
  }
}
