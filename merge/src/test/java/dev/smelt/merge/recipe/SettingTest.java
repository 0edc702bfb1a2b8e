package dev.smelt.merge.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Values that depend on a tensor's name and place. */
class SettingTest {

  private static final Place PLACE = new Place(Path.of("r.yaml"), 1);

  private static Setting.Case of(String filter, double... points) {
    return new Setting.Case(
        Optional.of(filter).filter(text -> !text.isEmpty()),
        Arrays.stream(points).boxed().toList());
  }

  private static Setting setting(Setting.Case... cases) {
    return new Setting(PLACE, List.of(cases));
  }

  @Test
  void aGradientIsAPolyline() {
    Setting.Case gradient = of("", 0, 0.5, 0.3, 0.7, 1);
    assertThat(gradient.at(0)).isEqualTo(0);
    assertThat(gradient.at(0.25)).isEqualTo(0.5);
    assertThat(gradient.at(0.375)).isCloseTo(0.4, within(1e-15));
    assertThat(gradient.at(0.75)).isEqualTo(0.7);
    assertThat(gradient.at(0.9)).isCloseTo(0.88, within(1e-15));
    assertThat(gradient.at(1)).isEqualTo(1);
    assertThat(of("", 0.1).at(1)).isEqualTo(0.1);
  }

  /** Also in the last places of numbers that no double is. */
  @Test
  void betweenEqualPointsItIsThatValue() {
    Setting.Case flat = of("", 0.1, 0.1, 0.1);
    for (int i = 0; i <= 1000; i++) {
      assertThat(flat.at(i / 1000.0)).isEqualTo(0.1);
    }
  }

  @Test
  void theFirstFilterThatFitsHolds() {
    Setting setting = setting(of("mlp", 1), of("layers.1", 2), of("*", 3), of("", 4));
    assertThat(setting.at("model.layers.1.mlp.up", 0)).contains(1.0);
    assertThat(setting.at("model.layers.1.self_attn", 0)).contains(2.0);
    assertThat(setting.at("model.norm.weight", 0)).contains(3.0);
    assertThat(setting(of("mlp", 1)).at("model.norm.weight", 0)).isEmpty();
  }
}
