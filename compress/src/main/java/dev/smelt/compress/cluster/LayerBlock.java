package dev.smelt.compress.cluster;

import dev.smelt.compress.layer.Layer;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

/** A layer's W, or Wᵀ where inputs are what is shared. */
record LayerBlock(Layer layer, Side side) implements Block {

  @Override
  public int rows() {
    return side == Side.OUTPUT ? layer.out() : layer.in();
  }

  @Override
  public int columns() {
    return side == Side.OUTPUT ? layer.in() : layer.out();
  }

  @Override
  public Matrix load(LinearAlgebra algebra) {
    Matrix w = layer.load(algebra, Precision.F64);
    return side == Side.OUTPUT ? w : algebra.transpose(w);
  }
}
