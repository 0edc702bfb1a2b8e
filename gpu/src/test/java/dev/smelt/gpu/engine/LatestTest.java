package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.gpu.TestDevice;
import org.junit.jupiter.api.Test;

class LatestTest {

  @Test
  void theLastOneIsKeptAndTheOthersAreGivenUp() {
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra();
        Latest latest = new Latest(algebra)) {
      assertThat(latest.get()).isEmpty();
      Matrix first;
      try (LinearAlgebra inner = algebra.inner()) {
        first = inner.matrix(1, 2, new double[] {1, 2});
        latest.set(first);
      }
      assertThat(latest.get().orElseThrow().toDoubles()).containsExactly(1, 2);
      try (LinearAlgebra inner = algebra.inner()) {
        latest.set(
            inner.subtract(latest.get().orElseThrow(), inner.matrix(1, 2, new double[] {5, 7})));
      }
      assertThat(latest.get().orElseThrow().toDoubles()).containsExactly(-4, -5);
      assertThatThrownBy(first::toDoubles).isInstanceOf(IllegalStateException.class);
    }
  }
}
