package dev.smelt.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.DecimalNode;

class ModelConfigTest {

  private static final String TEXT =
      """
      {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 192,
       "layer_norm_epsilon": 1e-05, "scale": 0.10, "one": 1.0, "exact": 0.1000000000000000055511151,
       "big": 123456789012345678901234567890, "tie": true, "none": null,
       "nested": {"z": 1, "a": [1, 2.50, {"k": "größe"}]}}
      """;

  private final ModelConfig config = ModelConfig.parse(TEXT);

  @Test
  void reads() {
    assertThat(config.modelType()).isEqualTo("gpt2");
    assertThat(config.architectures()).containsExactly("GPT2LMHeadModel");
    assertThat(config.size("n_embd")).isEqualTo(192);
    assertThat(config.integer("absent")).isEmpty();
    assertThat(config.integer("none")).isEmpty();
    assertThat(config.number("layer_norm_epsilon", 1)).isEqualTo(1e-5);
    assertThat(config.number("absent", 7)).isEqualTo(7);
    assertThat(config.flag("tie", false)).isTrue();
    assertThat(config.flag("none", true)).isTrue();
    assertThat(config.text("n_embd")).isEmpty();
  }

  @Test
  void unknownKeysAndNumbersOutliveAChange() {
    ModelConfig changed = config.with("torch_dtype", "bfloat16");
    assertThat(changed.text("torch_dtype")).contains("bfloat16");
    assertThat(changed.toJson())
        .contains("\"scale\": 0.10,", "\"one\": 1.0,", "0.1000000000000000055511151")
        .contains("123456789012345678901234567890", "2.50", "größe", "\"none\": null")
        .endsWith("}\n");
    assertThat(changed.get("layer_norm_epsilon")).isInstanceOf(DecimalNode.class);
    assertThat(ModelConfig.parse(changed.toJson())).isEqualTo(changed);
    assertThat(changed.without("torch_dtype")).isEqualTo(config);
    assertThat(changed.without("torch_dtype").toJson()).isEqualTo(config.toJson());
    assertThat(config.text("torch_dtype")).isEmpty();
  }

  @Test
  void keysThatDifferAreNamed() {
    assertThat(config.keysUnlike(config.with("n_embd", 192))).isEmpty();
    ModelConfig changed = config.with("n_embd", 193).with("new", List.of(1)).without("one");
    assertThat(config.keysUnlike(changed)).containsExactly("n_embd", "new", "one");
    assertThat(changed.keysUnlike(config)).containsExactly("n_embd", "new", "one");
  }

  @Test
  void keysKeepTheirOrder() {
    String json = config.with("nested", Map.of("k", List.of(1))).toJson();
    assertThat(json.indexOf("model_type")).isLessThan(json.indexOf("architectures"));
    assertThat(json.indexOf("big")).isLessThan(json.indexOf("nested"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"12\"", "1.5", "3000000000", "true", "[1]", "0", "-4"})
  void aSizeMustBeAPositiveWholeNumber(String value) {
    ModelConfig wrong = parse("{\"n_embd\": " + value + "}");
    assertThatThrownBy(() -> wrong.size("n_embd"))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("my/config.json", "n_embd");
  }

  @Test
  void wrongTypesAreNamed() {
    ModelConfig wrong = parse("{\"n\": \"1\", \"f\": 1}");
    assertThatThrownBy(() -> wrong.number("n", 0))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("my/config.json", "n must be a number", "found \"1\"");
    assertThatThrownBy(() -> wrong.flag("f", false))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("my/config.json", "f must be true or false", "found 1");
    assertThatThrownBy(() -> wrong.size("absent"))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContainingAll("my/config.json", "'absent'");
    assertThatThrownBy(wrong::modelType)
        .isInstanceOf(NotFoundException.class)
        .hasMessageContainingAll("my/config.json", "'model_type'");
  }

  @Test
  void deepNestingIsRefused() {
    String deep = "{\"a\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}";
    assertThatThrownBy(() -> parse(deep))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("my/config.json");
  }

  private static ModelConfig parse(String text) {
    return ModelConfig.parse(text.getBytes(StandardCharsets.UTF_8), "my/config.json");
  }
}
