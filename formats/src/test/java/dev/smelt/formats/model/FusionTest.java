package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TensorInfo;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FusionTest {

  @Test
  void gpt2HasThirdsOfTheOutputsInEitherSpelling() {
    List<FusedPart> expected =
        List.of(
            new FusedPart("q", Slice.range(Axis.OUTPUT, 0, 4)),
            new FusedPart("k", Slice.range(Axis.OUTPUT, 4, 4)),
            new FusedPart("v", Slice.range(Axis.OUTPUT, 8, 4)));
    ModelConfig config = ModelConfig.parse("{\"model_type\": \"gpt2\"}");
    assertThat(fused(config, "h.3.attn.c_attn.weight", 4, 12)).isEqualTo(expected);
    assertThat(fused(config, "transformer.h.3.attn.c_attn.weight", 4, 12)).isEqualTo(expected);
  }

  @Test
  void phi3SharesKeysAndValues() {
    ModelConfig config =
        ModelConfig.parse(
            "{\"model_type\": \"phi3\", \"hidden_size\": 8, \"num_attention_heads\": 4,"
                + " \"num_key_value_heads\": 2}");
    assertThat(fused(config, "model.layers.0.self_attn.qkv_proj.weight", 16, 8))
        .containsExactly(
            new FusedPart("q", Slice.range(Axis.OUTPUT, 0, 8)),
            new FusedPart("k", Slice.range(Axis.OUTPUT, 8, 4)),
            new FusedPart("v", Slice.range(Axis.OUTPUT, 12, 4)));
    assertThat(fused(config, "model.layers.0.mlp.gate_up_proj.weight", 10, 8))
        .containsExactly(
            new FusedPart("gate", Slice.range(Axis.OUTPUT, 0, 5)),
            new FusedPart("up", Slice.range(Axis.OUTPUT, 5, 5)));
  }

  @Test
  void phi3MayNameTheWidthOfHeadsAndShareNone() {
    ModelConfig config =
        ModelConfig.parse(
            "{\"model_type\": \"phi3\", \"hidden_size\": 8, \"num_attention_heads\": 2,"
                + " \"num_key_value_heads\": null, \"head_dim\": 3}");
    assertThat(fused(config, "layers.0.self_attn.qkv_proj.weight", 18, 8))
        .containsExactly(
            new FusedPart("q", Slice.range(Axis.OUTPUT, 0, 6)),
            new FusedPart("k", Slice.range(Axis.OUTPUT, 6, 6)),
            new FusedPart("v", Slice.range(Axis.OUTPUT, 12, 6)));
  }

  @Test
  void neoxInterleavesByHead() {
    ModelConfig config =
        ModelConfig.parse("{\"model_type\": \"gpt_neox\", \"num_attention_heads\": 2}");
    List<FusedPart> parts = fused(config, "layers.1.attention.query_key_value.weight", 12, 4);
    assertThat(parts).extracting(FusedPart::name).containsExactly("q", "k", "v");
    assertThat(parts.get(0).slice().indices()).containsExactly(0, 1, 6, 7);
    assertThat(parts.get(1).slice().indices()).containsExactly(2, 3, 8, 9);
    assertThat(parts.get(2).slice().indices()).containsExactly(4, 5, 10, 11);
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, h.0.attn.c_proj.weight",
    "gpt2, h.0.attn.c_attn.bias",
    "gpt2, h.0.attn.c_attn.ALinear.weight",
    "llama, layers.0.self_attn.q_proj.weight",
    "bert, encoder.layer.0.attention.self.query.weight",
    "new_one, qkv_proj.weight"
  })
  void othersAreOneMatrix(String type, String name) {
    ModelConfig config = ModelConfig.parse("{\"model_type\": \"" + type + "\"}");
    assertThat(fused(config, name, 12, 12)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, h.0.attn.c_attn.weight, 4, 11",
    "gpt2, h.0.attn.c_attn.weight, 4, 2",
    "phi3, layers.0.self_attn.qkv_proj.weight, 15, 8",
    "phi3, layers.0.mlp.gate_up_proj.weight, 7, 8",
    "gpt_neox, layers.0.attention.query_key_value.weight, 13, 4",
    "gpt_neox, layers.0.attention.query_key_value.weight, 15, 5"
  })
  void anotherModelsConfigIsRefused(String type, String name, long rows, long columns) {
    ModelConfig config =
        ModelConfig.parse(
            "{\"model_type\": \""
                + type
                + "\", \"hidden_size\": 8, \"num_attention_heads\": 4,"
                + " \"num_key_value_heads\": 2}");
    assertThatThrownBy(() -> fused(config, name, rows, columns))
        .isInstanceOf(SmeltException.class)
        .hasMessageContaining("found");
  }

  @Test
  void sizesBeyondAnyMatrixAreRefused() {
    ModelConfig config =
        ModelConfig.parse(
            "{\"model_type\": \"phi3\", \"num_attention_heads\": 2000000000, \"head_dim\": 2}");
    assertThatThrownBy(() -> fused(config, "layers.0.self_attn.qkv_proj.weight", 16, 8))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("layers.0.self_attn.qkv_proj.weight");
  }

  @ParameterizedTest
  @CsvSource({"-1, 1, 1, 1", "0, 0, 1, 1", "0, 1, 1, 0", "0, 3, 2, 2", "0, 1, 2000000000, 3"})
  void rowsThatAreNoneAreRefused(int first, int count, int stride, int groups) {
    assertThatThrownBy(() -> new Slice(Axis.OUTPUT, first, count, stride, groups))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static List<FusedPart> fused(ModelConfig config, String name, long... shape) {
    return Architecture.of(Optional.of(config))
        .fused(config, new TensorInfo(name, DType.F32, Shape.of(shape)));
  }
}
