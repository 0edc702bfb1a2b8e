package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrunedHeadsTest {

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{\"pruned_heads\": null}", "{\"pruned_heads\": {}}"})
  void mostNetworksHaveAllHeads(String text) {
    ModelConfig config = ModelConfig.parse(text);
    assertThat(PrunedHeads.areIn(config)).isFalse();
    PrunedHeads heads = PrunedHeads.of(config, 3, 4);
    assertThat(heads.byLayer()).isEmpty();
    assertThat(heads.left(2)).isEqualTo(4);
    assertThat(heads.in(config).get("pruned_heads").isMissingNode()).isTrue();
  }

  @Test
  void headsAreGoneByLayer() {
    ModelConfig config =
        ModelConfig.parse("{\"pruned_heads\": {\"2\": [3, 0], \"0\": [1], \"1\": []}}");
    assertThat(PrunedHeads.areIn(config)).isTrue();
    PrunedHeads heads = PrunedHeads.of(config, 3, 4);
    assertThat(heads.left(0)).isEqualTo(3);
    assertThat(heads.left(1)).isEqualTo(4);
    assertThat(heads.left(2)).isEqualTo(2);
    assertThat(heads.byLayer()).containsOnlyKeys(0, 2);
    assertThat(heads.byLayer().get(2)).containsExactly(0, 3);
  }

  @Test
  void furtherHeadsAreCountedAmongThoseLeft() {
    PrunedHeads heads =
        new PrunedHeads(6, new TreeMap<>())
            .without(1, new int[] {0, 3})
            .without(1, new int[] {0, 2})
            .without(3, new int[0]);
    assertThat(heads.byLayer()).containsOnlyKeys(1);
    // 1 2 4 5 were left, and of them the first and the third go.
    assertThat(heads.byLayer().get(1)).containsExactly(0, 1, 3, 4);
    assertThat(heads.in(ModelConfig.parse("{}")).get("pruned_heads").toString())
        .isEqualTo("{\"1\":[0,1,3,4]}");
  }

  @Test
  void layersMoveWithTheirHeads() {
    PrunedHeads heads =
        new PrunedHeads(4, new TreeMap<>())
            .without(0, new int[] {1})
            .without(2, new int[] {2})
            .without(3, new int[] {3})
            .ofLayers(new int[] {1, 2, 4, 5, 3});
    assertThat(heads.byLayer()).containsOnlyKeys(1, 4);
    assertThat(heads.byLayer().get(1)).containsExactly(2);
    assertThat(heads.byLayer().get(4)).containsExactly(3);
    assertThat(List.of(heads.left(0), heads.left(1))).containsExactly(4, 3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[]",
        "7",
        "\"all\"",
        "{\"0\": 1}",
        "{\"0\": [\"1\"]}",
        "{\"0\": [1, 1]}",
        "{\"0\": [-1]}",
        "{\"0\": [4]}",
        "{\"0\": [0.5]}",
        "{\"3\": [0]}",
        "{\"-1\": [0]}",
        "{\"01\": [0]}",
        "{\"99999999999\": [0]}",
        "{\"a\": [0]}",
        "{\"1\": [0, 1, 2, 3]}"
      })
  void anythingElseIsRefused(String value) {
    ModelConfig config = ModelConfig.parse("{\"pruned_heads\": " + value + "}");
    assertThatThrownBy(() -> PrunedHeads.of(config, 3, 4))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("pruned_heads");
  }
}
