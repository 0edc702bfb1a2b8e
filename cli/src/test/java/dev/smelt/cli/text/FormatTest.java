package dev.smelt.cli.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FormatTest {

  @Test
  void bytesAreDecimal() {
    assertThat(Format.bytes(999)).isEqualTo("999 B");
    assertThat(Format.bytes(1_000)).isEqualTo("1.0 kB");
    assertThat(Format.bytes(999_949)).isEqualTo("999.9 kB");
    assertThat(Format.bytes(999_950)).isEqualTo("1.0 MB");
    assertThat(Format.bytes(3_756_288)).isEqualTo("3.8 MB");
    assertThat(Format.bytes(999_949_999)).isEqualTo("999.9 MB");
    assertThat(Format.bytes(999_950_000)).isEqualTo("1.00 GB");
    assertThat(Format.bytes(16_060_522_496L)).isEqualTo("16.06 GB");
  }

  @Test
  void countsKeepEveryDigitUnlessAskedForFew() {
    assertThat(Format.count(1_878_144)).isEqualTo("1,878,144");
    assertThat(Format.shortCount(9_999)).isEqualTo("9,999");
    assertThat(Format.shortCount(1_878_144)).isEqualTo("1.88 M");
    assertThat(Format.shortCount(70_553_706_496L)).isEqualTo("70.55 B");
  }

  @Test
  void smallErrorsKeepTheirDigits() {
    assertThat(Format.error(0)).isEqualTo("0");
    assertThat(Format.error(0.38312)).isEqualTo("0.3831");
    assertThat(Format.error(3.21e-7)).isEqualTo("3.2e-07");
    assertThat(Format.error(Double.POSITIVE_INFINITY)).isEqualTo("∞");
    assertThat(Format.error(Double.NaN)).isEqualTo("NaN");
  }
}
