package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.cli.report.Measure.Verdict;
import org.junit.jupiter.api.Test;

class MeasureTest {

  @Test
  void changesKeepTheirSign() {
    assertThat(Measure.SIZE.change(200, 100)).isEqualTo("-50.0 %");
    assertThat(Measure.SIZE.change(0, 100)).isEqualTo("new");
    assertThat(Measure.LOSS.change(1.5, 1.50001)).isEqualTo("+0.0000");
    assertThat(Measure.LOSS.change(1.5, 1.5)).isEqualTo("=");
    assertThat(Measure.ACCURACY.change(0.5, 0.495)).isEqualTo("-0.50 pp");
  }

  @Test
  void onlyAccuracyIsBetterWhenItRises() {
    for (Measure measure : Measure.values()) {
      Verdict up = measure == Measure.ACCURACY ? Verdict.BETTER : Verdict.WORSE;
      Verdict down = measure == Measure.ACCURACY ? Verdict.WORSE : Verdict.BETTER;
      assertThat(measure.verdict(1, 2)).isEqualTo(up);
      assertThat(measure.verdict(2, 1)).isEqualTo(down);
      assertThat(measure.verdict(2, 2)).isEqualTo(Verdict.SAME);
      assertThat(measure.verdict(2, Double.NaN)).isEqualTo(Verdict.WORSE);
    }
  }
}
