package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RestatedConfigTest {

  private static Anatomy anatomy(String type) {
    return Anatomies.named(type).orElseThrow();
  }

  private static ModelConfig config(String text) {
    return ModelConfig.parse("{" + text.replace('\'', '"') + "}");
  }

  private static RestatedConfig ofBlocks(String type, String text, int... kept) {
    return RestatedConfig.ofBlocks(anatomy(type), config(text), kept);
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, n_inner",
    "bert, intermediate_size",
    "distilbert, hidden_dim",
    "llama, intermediate_size",
    "gpt_neox, intermediate_size"
  })
  void hiddenUnitsHaveAKey(String type, String key) {
    RestatedConfig restated =
        RestatedConfig.withNeurons(anatomy(type), config("'n_inner': null, 'x': [1]"), 96);
    assertThat(restated.config().size(key)).isEqualTo(96);
    assertThat(restated.config().get("x").size()).isEqualTo(1);
    assertThat(restated.notes()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"gpt2, n_layer, num_hidden_layers", "distilbert, n_layers, num_hidden_layers"})
  void blocksAreCountedUnderEveryNameThatIsThere(String type, String key, String other) {
    String text = "'model_type': 'x', 'n_head': 2, 'n_heads': 2, 'num_attention_heads': 2";
    ModelConfig restated = ofBlocks(type, text + ", '" + key + "': 4", 0, 3).config();
    assertThat(restated.size(key)).isEqualTo(2);
    assertThat(restated.get(other).isMissingNode()).isTrue();
    ModelConfig both = ofBlocks(type, text + ", '" + key + "': 4, '" + other + "': 4", 1).config();
    assertThat(both.size(key)).isEqualTo(1);
    assertThat(both.size(other)).isEqualTo(1);
  }

  @Test
  void listsByLayerLoseTheSameLayers() {
    String text =
        "'num_hidden_layers': 4, 'num_attention_heads': 2, 'layer_types': ['a','b','c','d']";
    for (String type : List.of("llama", "mistral", "qwen3", "gemma2")) {
      assertThat(ofBlocks(type, text, 1, 3).config().get("layer_types").toString())
          .isEqualTo("[\"b\",\"d\"]");
    }
    assertThatThrownBy(() -> ofBlocks("llama", text.replace("'a',", ""), 1))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("expected 4 in layer_types, found 3");
  }

  @ParameterizedTest
  @CsvSource({
    // key before (0: absent), use of windows, key after (0: absent)
    "3, true, 2",
    "3, false, 2",
    "1, true, 1",
    "5, true, 5",
    "0, true, 0",
    "0, false, 0"
  })
  void upperWindowsBeginWhereTheyDid(int before, boolean used, int after) {
    String text =
        "'num_hidden_layers': 5, 'num_attention_heads': 2, 'use_sliding_window': "
            + used
            + (before > 0 ? ", 'max_window_layers': " + before : "");
    for (String type : List.of("qwen2", "qwen3")) {
      ModelConfig restated = ofBlocks(type, text, 0, 2, 4).config();
      assertThat(restated.integer("max_window_layers").orElse(0)).isEqualTo(after);
    }
  }

  @Test
  void theUsualUpperWindowIsSaidWhereItMoves() {
    String text = "'num_hidden_layers': 30, 'num_attention_heads': 2, 'use_sliding_window': true";
    assertThat(ofBlocks("qwen2", text, 0, 1, 27, 28, 29).config().size("max_window_layers"))
        .isEqualTo(3);
    assertThatThrownBy(() -> ofBlocks("qwen2", text, 0, 28, 1))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("max_window_layers")
        .hasMessageContaining("put those after block 27 last");
  }

  @Test
  void windowsThatTakeTurnsAreListedWhereTheyNoLongerDo() {
    String text = "'num_hidden_layers': 4, 'num_attention_heads': 2, 'sliding_window': 3";
    RestatedConfig moved = ofBlocks("gemma2", text, 0, 2, 3);
    assertThat(moved.config().get("layer_types").toString())
        .isEqualTo("[\"sliding_attention\",\"sliding_attention\",\"full_attention\"]");
    assertThat(moved.notes()).singleElement().asString().contains("layer_types");
    RestatedConfig same = ofBlocks("gemma2", text, 0, 3);
    assertThat(same.config().get("layer_types").isMissingNode()).isTrue();
    assertThat(same.notes()).isEmpty();
    RestatedConfig windowless = ofBlocks("gemma2", text.replace(": 3", ": null"), 1);
    assertThat(windowless.config().get("layer_types").isMissingNode()).isTrue();
  }

  @Test
  void aScaleThatCountsBlocksKeepsThemInTheirPlaces() {
    String text = "'n_layer': 4, 'n_head': 2, 'scale_attn_by_inverse_layer_idx': true";
    assertThat(ofBlocks("gpt2", text, 0, 1, 2).config().size("n_layer")).isEqualTo(3);
    assertThatThrownBy(() -> ofBlocks("gpt2", text, 0, 1, 3))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("scale_attn_by_inverse_layer_idx");
    assertThat(ofBlocks("gpt2", text.replace("true", "false"), 3).config().size("n_layer"))
        .isEqualTo(1);
  }

  @Test
  void prunedHeadsMoveWithTheirBlocks() {
    String text = "'n_layer': 3, 'n_head': 4, 'pruned_heads': {'0': [1], '2': [0, 3]}";
    assertThat(ofBlocks("gpt2", text, 1, 2).config().get("pruned_heads").toString())
        .isEqualTo("{\"1\":[0,3]}");
    assertThat(ofBlocks("gpt2", text, 1).config().get("pruned_heads").isMissingNode()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "gpt_neox", "phi3"})
  void familiesWithoutPrunedHeadsRefuseThem(String type) {
    ModelConfig config =
        config("'num_hidden_layers': 2, 'num_attention_heads': 2, 'pruned_heads': {'0': [1]}");
    assertThatThrownBy(() -> anatomy(type).prunedHeads(config))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("pruned_heads");
  }
}
