package dev.smelt.gpu.engine;

class ReferenceKernelsTest extends LinearAlgebraContract {

  @Override
  LinearAlgebra open() {
    return LinearAlgebra.reference();
  }
}
