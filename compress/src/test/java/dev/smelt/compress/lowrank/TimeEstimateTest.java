package dev.smelt.compress.lowrank;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.compress.testing.TestDevice;
import dev.smelt.gpu.engine.Precision;
import org.junit.jupiter.api.Test;

/** What must hold on every machine; how close estimates come is measured, not tested. */
class TimeEstimateTest {

  private final TimeEstimate estimate = TimeEstimate.measure(TestDevice.get());

  private double seconds(int out, int in, int rank, boolean left, boolean right, Route route) {
    return estimate.seconds(out, in, rank, left, right, Precision.F32, RouteOptions.first(route));
  }

  @Test
  void moreWorkTakesLonger() {
    double base = seconds(2048, 3072, 256, false, false, Route.GRAM);
    assertThat(base).isPositive().isFinite();
    assertThat(seconds(4096, 3072, 256, false, false, Route.GRAM)).isGreaterThan(base);
    assertThat(seconds(2048, 6144, 256, false, false, Route.GRAM)).isGreaterThan(base);
    assertThat(seconds(2048, 3072, 1024, false, false, Route.GRAM)).isGreaterThan(base);
    double left = seconds(2048, 3072, 256, true, false, Route.GRAM);
    assertThat(left).isGreaterThan(base);
    assertThat(seconds(2048, 3072, 256, true, true, Route.GRAM)).isGreaterThan(left);
    assertThat(seconds(2048, 3072, 256, false, false, Route.SVD)).isGreaterThan(base);
  }

  @Test
  void aTransposedMatrixTakesAsLong() {
    for (Route route : Route.values()) {
      assertThat(seconds(1024, 4096, 128, true, false, route))
          .isEqualTo(seconds(4096, 1024, 128, false, true, route));
    }
  }

  @Test
  void theWholeIsDecompositionAndCertificate() {
    RouteOptions options = RouteOptions.DEFAULT;
    double decomposition =
        estimate.decomposition(2048, 2048, 300, true, true, Precision.F32, options);
    double certificate = estimate.certificate(2048, 2048, 300, true, true, Precision.F32);
    assertThat(estimate.seconds(2048, 2048, 300, true, true, Precision.F32, options))
        .isEqualTo(decomposition + certificate);
  }
}
