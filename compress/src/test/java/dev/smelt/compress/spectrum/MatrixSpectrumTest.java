package dev.smelt.compress.spectrum;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Shape;
import org.junit.jupiter.api.Test;

class MatrixSpectrumTest {

  private static MatrixSpectrum of(int m, int n, double... s) {
    return new MatrixSpectrum("m", Shape.of(m, n), s);
  }

  @Test
  void equalDirectionsHaveFullEffectiveAndStableRank() {
    MatrixSpectrum flat = of(4, 6, 3, 3, 3, 3);
    assertThat(flat.effectiveRank()).isCloseTo(4, within(1e-12));
    assertThat(flat.stableRank()).isCloseTo(4, within(1e-12));
    assertThat(flat.conditionNumber()).isEqualTo(1);
    assertThat(flat.norm()).isCloseTo(6, within(1e-12));
    assertThat(flat.energy(3)).isCloseTo(0.75, within(1e-12));
  }

  @Test
  void oneDirectionHasRankOne() {
    MatrixSpectrum one = of(3, 3, 2, 0, 0);
    assertThat(one.effectiveRank()).isEqualTo(1);
    assertThat(one.stableRank()).isEqualTo(1);
    assertThat(one.conditionNumber()).isInfinite();
    assertThat(one.rankFor(0.99)).isEqualTo(1);
  }

  @Test
  void numbersByHand() {
    // Shares 16/21, 4/21, 1/21.
    MatrixSpectrum spectrum = of(3, 9, 4, 2, 1);
    double entropy =
        -(16 / 21.0 * Math.log(16 / 21.0)
            + 4 / 21.0 * Math.log(4 / 21.0)
            + 1 / 21.0 * Math.log(1 / 21.0));
    assertThat(spectrum.effectiveRank()).isCloseTo(Math.exp(entropy), within(1e-12));
    assertThat(spectrum.stableRank()).isCloseTo(21 / 16.0, within(1e-12));
    assertThat(spectrum.conditionNumber()).isEqualTo(4);
    assertThat(spectrum.energy(0)).isCloseTo(0, within(1e-15));
    assertThat(spectrum.energy(1)).isCloseTo(16 / 21.0, within(1e-12));
    assertThat(spectrum.energy(3)).isEqualTo(1);
    assertThat(spectrum.rankFor(0.9)).isEqualTo(2);
    assertThat(spectrum.rankFor(0.96)).isEqualTo(3);
    assertThat(spectrum.breakEven()).isEqualTo(27 / 12.0);
    assertThat(spectrum.rankAtKeep(0.25)).isEqualTo(1);
    assertThat(spectrum.rankAtKeep(0.9)).isEqualTo(2);
  }

  @Test
  void scaleChangesNothingButTheNorm() {
    MatrixSpectrum tiny = of(3, 3, 4e-300, 2e-300, 1e-300);
    MatrixSpectrum huge = of(3, 3, 4e300, 2e300, 1e300);
    assertThat(tiny.effectiveRank()).isCloseTo(huge.effectiveRank(), within(1e-12));
    assertThat(tiny.stableRank()).isCloseTo(huge.stableRank(), within(1e-12));
    assertThat(huge.norm()).isCloseTo(Math.sqrt(21) * 1e300, within(1e288));
  }

  @Test
  void aZeroMatrixHasNothing() {
    MatrixSpectrum zero = of(2, 2, 0, 0);
    assertThat(zero.effectiveRank()).isZero();
    assertThat(zero.stableRank()).isZero();
    assertThat(zero.norm()).isZero();
    assertThat(zero.energy(0)).isEqualTo(1);
    assertThat(zero.rankFor(0.99)).isZero();
  }

  @Test
  void whatIsNoSpectrumIsRefused() {
    assertThatThrownBy(() -> of(2, 3, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> of(2, 3, 1, 2)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> of(2, 3, 1, Double.NaN)).isInstanceOf(IllegalArgumentException.class);
  }
}
