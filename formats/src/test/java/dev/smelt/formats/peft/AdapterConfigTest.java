package dev.smelt.formats.peft;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class AdapterConfigTest {

  private static AdapterConfig read(String keys) {
    String comma = keys.isEmpty() ? "" : ", ";
    return AdapterConfigReader.read(
        ("{\"peft_type\": \"LORA\"" + comma + keys + "}").getBytes(UTF_8), "adapter_config.json");
  }

  @Test
  void scaleIsAlphaOverRank() {
    AdapterConfig config = read("\"r\": 16, \"lora_alpha\": 32");
    assertThat(config.rank("h.0.attn")).isEqualTo(16);
    assertThat(config.scale("h.0.attn")).isEqualTo(2.0);
  }

  @Test
  void stabilisedRanksScaleByTheRoot() {
    assertThat(read("\"r\": 16, \"lora_alpha\": 32, \"use_rslora\": true").scale("m"))
        .isEqualTo(8.0);
  }

  @Test
  void whatIsNotSaidIsEight() {
    assertThat(read("").rank("m")).isEqualTo(8);
    assertThat(read("").scale("m")).isEqualTo(1.0);
    assertThat(read("\"r\": 4").scale("m")).isEqualTo(2.0);
  }

  @ParameterizedTest
  @CsvSource({
    // Ends of names from a dot on, full names, expressions, and what looks alike but is not.
    "q_proj, model.layers.0.self_attn.q_proj, true",
    "q_proj, q_proj, true",
    "q_proj, model.layers.0.self_attn.kq_proj, false",
    "model.layers.1.mlp.up_proj, model.layers.1.mlp.up_proj, true",
    "model.layers.1.mlp.up_proj, model.layers.11.mlp.up_proj, false",
    "layers\\.[01]\\.mlp\\.(up|down)_proj, model.layers.1.mlp.down_proj, true",
    "layers\\.[01]\\.mlp\\.(up|down)_proj, model.layers.2.mlp.down_proj, false",
    "^model.layers.0.q, model.layers.0.q, true",
    "^layers.0.q, model.layers.0.q, false",
    "up|down, model.layers.0.down, true",
  })
  void patternsMatchEndsOfNames(String pattern, String module, boolean matches) {
    String key = Json.writeCompact(pattern);
    AdapterConfig config =
        read(
            "\"r\": 8, \"lora_alpha\": 8, \"rank_pattern\": {%s: 2}, \"alpha_pattern\": {%s: 6}"
                .formatted(key, key));
    assertThat(config.rank(module)).isEqualTo(matches ? 2 : 8);
    assertThat(config.scale(module)).isEqualTo(matches ? 3.0 : 1.0);
  }

  @Test
  void theFirstPatternThatMatchesCounts() {
    AdapterConfig config = read("\"r\": 8, \"rank_pattern\": {\"mlp.up\": 2, \"up\": 3}");
    assertThat(config.rank("h.0.mlp.up")).isEqualTo(2);
    assertThat(config.rank("h.0.attn.up")).isEqualTo(3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"use_dora\": true",
        "\"use_qalora\": true",
        "\"layer_replication\": [[0, 4], [2, 5]]",
        "\"alora_invocation_tokens\": [1]",
        "\"trainable_token_indices\": [5]",
        "\"target_parameters\": [\"mlp.experts.down\"]",
        "\"init_lora_weights\": \"pissa_niter_4\"",
        "\"init_lora_weights\": \"olora\"",
      })
  void otherFormulasAreRefusedByName(String key) {
    assertThatThrownBy(() -> read(key))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("adapter_config.json")
        .hasMessageContaining(key.substring(1, key.indexOf('"', 1)));
  }

  @Test
  void otherTypesAreRefusedByName() {
    for (String type : List.of("LOHA", "ADALORA", "IA3", "PREFIX_TUNING")) {
      byte[] json = ("{\"peft_type\": \"" + type + "\"}").getBytes(UTF_8);
      assertThatThrownBy(() -> AdapterConfigReader.read(json, "adapter_config.json"))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining(type);
    }
    assertThatThrownBy(() -> AdapterConfigReader.read("{}".getBytes(UTF_8), "x"))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("peft_type");
  }

  @Test
  void unsetKeysOfOtherFormulasAreNoObstacle() {
    AdapterConfig config =
        read(
            "\"use_dora\": false, \"layer_replication\": null, \"trainable_token_indices\": [],"
                + " \"init_lora_weights\": \"gaussian\", \"lora_dropout\": 0.1, \"new_key\": 7");
    assertThat(config.rank()).isEqualTo(8);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"r\": 0",
        "\"r\": -1",
        "\"r\": 1.5",
        "\"r\": \"8\"",
        "\"lora_alpha\": \"16\"",
        "\"lora_alpha\": 1e999",
        "\"use_rslora\": 1",
        "\"bias\": \"some\"",
        "\"rank_pattern\": [1]",
        "\"rank_pattern\": {\"q\": 0}",
        "\"rank_pattern\": {\"q\": 2.5}",
        "\"rank_pattern\": {\"q(\": 2}",
        "\"alpha_pattern\": {\"q\": \"a\"}",
        "\"target_modules\": [1]",
        "\"modules_to_save\": \"all\"",
      })
  void nonsenseIsCorrupt(String key) {
    assertThatThrownBy(() -> read(key))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("adapter_config.json");
  }

  @Test
  void listsWithExceptionsPromiseNothing() {
    assertThat(read("\"target_modules\": [\"q\", \"v\"]").targets()).containsExactly("q", "v");
    assertThat(read("\"target_modules\": \".*q\"").targets()).isEmpty();
    assertThat(read("\"target_modules\": [\"q\"], \"layers_to_transform\": [1]").targets())
        .isEmpty();
    assertThat(read("\"target_modules\": [\"q\"], \"exclude_modules\": [\"h.0.q\"]").targets())
        .isEmpty();
  }

  @Test
  void writtenConfigsScaleByOneAndReadBack() {
    SequencedMap<String, Integer> ranks = new LinkedHashMap<>();
    ranks.put("h.0.c_attn", 12);
    ranks.put("h.0.c_proj", 3);
    ranks.put("wte", 12);
    AdapterConfig config =
        AdapterConfig.unscaled(
            ranks, true, true, List.of("ln_f"), true, Optional.of("CAUSAL_LM"), "base");
    AdapterConfig read = AdapterConfigReader.read(config.toJson().getBytes(UTF_8), "written");
    assertThat(read).isEqualTo(config);
    ranks.forEach(
        (module, rank) -> {
          assertThat(read.rank(module)).isEqualTo(rank);
          assertThat(read.scale(module)).isEqualTo(1.0);
        });

    JsonNode json = Json.parse(config.toJson().getBytes(UTF_8), "written");
    assertThat(json.path("peft_type").asString()).isEqualTo("LORA");
    assertThat(json.path("r").intValue()).isEqualTo(12);
    assertThat(json.path("lora_alpha").isIntegralNumber()).isTrue();
    assertThat(json.path("rank_pattern").toString()).isEqualTo("{\"h.0.c_proj\":3}");
    assertThat(json.path("alpha_pattern").toString()).isEqualTo("{\"h.0.c_proj\":3}");
    assertThat(json.path("target_modules").toString())
        .isEqualTo("[\"h.0.c_attn\",\"h.0.c_proj\",\"wte\"]");
    assertThat(json.path("modules_to_save").toString()).isEqualTo("[\"ln_f\"]");
    assertThat(json.path("bias").asString()).isEqualTo("all");
    assertThat(json.path("task_type").asString()).isEqualTo("CAUSAL_LM");
    assertThat(json.path("base_model_name_or_path").asString()).isEqualTo("base");
    assertThat(json.path("fan_in_fan_out").booleanValue()).isTrue();
    assertThat(json.path("use_rslora").isBoolean()).isTrue();
    assertThat(json.path("inference_mode").booleanValue()).isTrue();
  }

  @Test
  void nothingToSaveIsNull() {
    SequencedMap<String, Integer> ranks = new LinkedHashMap<>();
    ranks.put("q", 2);
    String json =
        AdapterConfig.unscaled(ranks, false, false, List.of(), false, Optional.empty(), "b")
            .toJson();
    assertThat(json)
        .contains("\"modules_to_save\": null", "\"task_type\": null", "\"bias\": \"none\"");
  }
}
