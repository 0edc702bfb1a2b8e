package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

/** A matrix A, m×n, whose columns may be written in a basis that other blocks use as well. */
public interface Block {

  /** m, which blocks of a family have in common. */
  int rows();

  /** n. */
  int columns();

  /** A, in f64. */
  Matrix load(LinearAlgebra algebra);

  /** A, in another precision where that is enough. */
  default Matrix load(LinearAlgebra algebra, Precision precision) {
    return algebra.convert(load(algebra), precision);
  }
}
