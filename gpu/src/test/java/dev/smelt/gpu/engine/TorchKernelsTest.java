package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.gpu.TestDevice;
import org.junit.jupiter.api.Test;

class TorchKernelsTest extends LinearAlgebraContract {

  @Override
  LinearAlgebra open() {
    return TestDevice.get().linearAlgebra();
  }

  @Test
  void agreesWithTheReferenceOnSpectra() {
    double[] values = random(40, 24, 3);
    try (LinearAlgebra torch = open();
        LinearAlgebra reference = LinearAlgebra.reference()) {
      Matrix a = torch.matrix(40, 24, values);
      Matrix b = reference.matrix(40, 24, values);
      double[] expected = reference.svd(b).s();
      double[] found = torch.svd(a).s();
      double[] squares = torch.eigh(torch.gram(torch.transpose(a))).values();
      for (int i = 0; i < expected.length; i++) {
        assertThat(found[i]).isCloseTo(expected[i], within(1e-13));
        assertThat(squares[i]).isCloseTo(expected[i] * expected[i], within(1e-12));
      }
    }
  }
}
