package dev.smelt.gpu.engine;

import org.junit.jupiter.api.Nested;

class ReferenceKernelsTest {

  @Nested
  class Decompositions extends DecompositionContract {
    @Override
    LinearAlgebra open() {
      return LinearAlgebra.reference();
    }
  }

  @Nested
  class Removals extends RemovalContract {
    @Override
    LinearAlgebra open() {
      return LinearAlgebra.reference();
    }
  }

  @Nested
  class Arithmetic extends ArithmeticContract {
    @Override
    LinearAlgebra open() {
      return LinearAlgebra.reference();
    }
  }
}
