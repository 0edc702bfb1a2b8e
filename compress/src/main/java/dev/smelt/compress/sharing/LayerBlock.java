package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.Block;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/** The matrix of a subject, or its transpose where inputs are what is shared. */
record LayerBlock(Subject subject, Side side) implements Block {

  @Override
  public int rows() {
    return side == Side.OUTPUT ? subject.layer().out() : subject.layer().in();
  }

  @Override
  public int columns() {
    return side == Side.OUTPUT ? subject.layer().in() : subject.layer().out();
  }

  @Override
  public Matrix load(LinearAlgebra algebra) {
    Matrix w = subject.load(algebra);
    return side == Side.OUTPUT ? w : algebra.transpose(w);
  }
}
