package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.TestDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class TorchKernelsTest {

  @Nested
  class Decompositions extends DecompositionContract {
    @Override
    LinearAlgebra open() {
      return TorchKernelsTest.open();
    }
  }

  @Nested
  class Removals extends RemovalContract {
    @Override
    LinearAlgebra open() {
      return TorchKernelsTest.open();
    }
  }

  @Nested
  class Arithmetic extends ArithmeticContract {
    @Override
    LinearAlgebra open() {
      return TorchKernelsTest.open();
    }
  }

  private static LinearAlgebra open() {
    return TestDevice.get().linearAlgebra();
  }

  @Test
  void agreesWithTheReferenceOnSpectra() {
    double[] values = KernelContract.random(40, 24, 3);
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

  @Test
  void worksInSeveralThreadsAtOnce() {
    double[] values = KernelContract.random(30, 20, 9);
    List<Workers.Job> jobs = new ArrayList<>();
    Queue<double[]> spectra = new ConcurrentLinkedQueue<>();
    for (int i = 0; i < 16; i++) {
      jobs.add(
          () -> {
            try (LinearAlgebra algebra = open()) {
              spectra.add(algebra.svd(algebra.matrix(30, 20, values)).s());
            }
          });
    }
    Workers.run(4, jobs);
    assertThat(spectra).hasSize(16);
    double[] first = spectra.remove();
    assertThat(spectra).allSatisfy(s -> assertThat(s).isEqualTo(first));
  }
}
