package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.cli.report.Measure.Verdict;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
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
  void smallDifferencesOfSpeedAreNoise() {
    for (Measure speed : List.of(Measure.TOKENS_PER_SECOND, Measure.EXAMPLES_PER_SECOND)) {
      assertThat(speed.verdict(1000, 1049)).isEqualTo(Verdict.SAME);
      assertThat(speed.verdict(1000, 951)).isEqualTo(Verdict.SAME);
      assertThat(speed.verdict(1000, 1051)).isEqualTo(Verdict.BETTER);
      assertThat(speed.verdict(1000, 949)).isEqualTo(Verdict.WORSE);
    }
    assertThat(Measure.TOKENS_PER_SECOND.change(1000, 1500)).isEqualTo("+50.0 %");
    assertThat(Measure.TOKENS_PER_SECOND.format(12345.6)).isEqualTo("12,346");
    assertThat(Measure.EXAMPLES_PER_SECOND.format(12.34)).isEqualTo("12.3");
  }

  @Test
  void onlyAccuracyAndSpeedAreBetterWhenTheyRise() {
    Set<Measure> rising =
        EnumSet.of(Measure.ACCURACY, Measure.TOKENS_PER_SECOND, Measure.EXAMPLES_PER_SECOND);
    for (Measure measure : Measure.values()) {
      Verdict up = rising.contains(measure) ? Verdict.BETTER : Verdict.WORSE;
      Verdict down = rising.contains(measure) ? Verdict.WORSE : Verdict.BETTER;
      assertThat(measure.verdict(1, 2)).isEqualTo(up);
      assertThat(measure.verdict(2, 1)).isEqualTo(down);
      assertThat(measure.verdict(2, 2)).isEqualTo(Verdict.SAME);
      assertThat(measure.verdict(2, Double.NaN)).isEqualTo(Verdict.WORSE);
    }
  }
}
