package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArchitectureTest {

  @ParameterizedTest
  @CsvSource({
    "wte.weight, 2, EMBEDDING",
    "wpe.weight, 2, EMBEDDING",
    "h.0.ln_1.weight, 1, NORM",
    "h.11.ln_2.bias, 1, NORM",
    "ln_f.weight, 1, NORM",
    "h.3.attn.bias, 4, BUFFER",
    "h.3.attn.masked_bias, 0, BUFFER",
    "h.3.attn.c_attn.weight, 2, CONV1D",
    "h.3.attn.c_attn.bias, 1, BIAS",
    "h.3.attn.c_proj.weight, 2, CONV1D",
    "h.3.crossattention.q_attn.weight, 2, CONV1D",
    "h.3.mlp.c_fc.weight, 2, CONV1D",
    "h.3.mlp.c_proj.weight, 2, CONV1D",
    "h.3.mlp.c_proj.bias, 1, BIAS",
    "h.3.mlp.c_fc.ALinear.weight, 2, FACTOR",
    "h.3.mlp.c_fc.BLinear.weight, 2, FACTOR",
    "smelt.basis.17, 2, FACTOR",
    "h.3.mlp.c_fc.weight, 3, OTHER",
    "something.else, 2, OTHER"
  })
  void gpt2(String name, int rank, TensorRole role) {
    assertThat(role("gpt2", name, rank)).isEqualTo(role);
    assertThat(role("gpt2", "transformer." + name, rank)).isEqualTo(role);
  }

  @ParameterizedTest
  @CsvSource({
    "embeddings.word_embeddings.weight, 2, EMBEDDING",
    "embeddings.position_embeddings.weight, 2, EMBEDDING",
    "embeddings.token_type_embeddings.weight, 2, EMBEDDING",
    "embeddings.position_ids, 2, BUFFER",
    "embeddings.LayerNorm.weight, 1, NORM",
    "encoder.layer.0.attention.output.LayerNorm.gamma, 1, NORM",
    "encoder.layer.0.output.LayerNorm.beta, 1, NORM",
    "encoder.layer.10.attention.self.query.weight, 2, LINEAR",
    "encoder.layer.10.attention.self.key.bias, 1, BIAS",
    "encoder.layer.10.attention.output.dense.weight, 2, LINEAR",
    "encoder.layer.10.intermediate.dense.weight, 2, LINEAR",
    "encoder.layer.10.output.dense.weight, 2, LINEAR",
    "encoder.layer.10.output.dense.ALinear.weight, 2, FACTOR",
    "smelt.basis.0, 2, FACTOR",
    "pooler.dense.weight, 2, HEAD",
    "something.else, 2, OTHER"
  })
  void bert(String name, int rank, TensorRole role) {
    assertThat(role("bert", name, rank)).isEqualTo(role);
    assertThat(role("bert", "bert." + name, rank)).isEqualTo(role);
  }

  @ParameterizedTest
  @CsvSource({
    "embed_tokens.weight, 2, EMBEDDING",
    "layers.0.input_layernorm.weight, 1, NORM",
    "layers.0.post_attention_layernorm.weight, 1, NORM",
    "layers.11.pre_feedforward_layernorm.weight, 1, NORM",
    "layers.11.post_feedforward_layernorm.weight, 1, NORM",
    "layers.3.self_attn.q_norm.weight, 1, NORM",
    "layers.3.self_attn.k_norm.weight, 1, NORM",
    "norm.weight, 1, NORM",
    "layers.3.self_attn.q_proj.weight, 2, LINEAR",
    "layers.3.self_attn.k_proj.weight, 2, LINEAR",
    "layers.3.self_attn.v_proj.weight, 2, LINEAR",
    "layers.3.self_attn.o_proj.weight, 2, LINEAR",
    "layers.3.self_attn.qkv_proj.weight, 2, LINEAR",
    "layers.3.self_attn.q_proj.bias, 1, BIAS",
    "layers.3.mlp.gate_proj.weight, 2, LINEAR",
    "layers.3.mlp.up_proj.weight, 2, LINEAR",
    "layers.3.mlp.gate_up_proj.weight, 2, LINEAR",
    "layers.3.mlp.down_proj.weight, 2, LINEAR",
    "layers.3.mlp.down_proj.bias, 1, BIAS",
    "layers.3.mlp.down_proj.BLinear.weight, 2, FACTOR",
    "layers.3.self_attn.rotary_emb.inv_freq, 1, BUFFER",
    "layers.3.self_attn.o_proj.weight, 3, OTHER",
    "something.else, 2, OTHER"
  })
  void llamaAndItsKin(String name, int rank, TensorRole role) {
    for (String type : List.of("llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2")) {
      assertThat(of(type).isKnown()).isTrue();
      assertThat(role(type, name, rank)).isEqualTo(role);
      assertThat(role(type, "model." + name, rank)).isEqualTo(role);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "embeddings.word_embeddings.weight, 2, EMBEDDING",
    "embeddings.position_embeddings.weight, 2, EMBEDDING",
    "embeddings.position_ids, 2, BUFFER",
    "embeddings.LayerNorm.weight, 1, NORM",
    "encoder.layer.3.attention.output.LayerNorm.bias, 1, NORM",
    "encoder.layer.3.attention.self.query.weight, 2, LINEAR",
    "encoder.layer.3.attention.self.query.bias, 1, BIAS",
    "encoder.layer.3.attention.output.dense.weight, 2, LINEAR",
    "encoder.layer.3.intermediate.dense.weight, 2, LINEAR",
    "encoder.layer.3.output.dense.BLinear.weight, 2, FACTOR",
    "classifier.dense.weight, 2, HEAD",
    "classifier.out_proj.bias, 1, HEAD",
    "lm_head.dense.weight, 2, HEAD",
    "lm_head.layer_norm.weight, 1, NORM",
    "lm_head.bias, 1, HEAD",
    "lm_head.decoder.weight, 2, HEAD",
    "something.else, 2, OTHER"
  })
  void roberta(String name, int rank, TensorRole role) {
    assertThat(role("roberta", name, rank)).isEqualTo(role);
    assertThat(role("roberta", "roberta." + name, rank)).isEqualTo(role);
  }

  @ParameterizedTest
  @CsvSource({
    "embed_in.weight, 2, EMBEDDING",
    "layers.0.input_layernorm.weight, 1, NORM",
    "layers.0.post_attention_layernorm.bias, 1, NORM",
    "final_layer_norm.weight, 1, NORM",
    "layers.3.attention.query_key_value.weight, 2, LINEAR",
    "layers.3.attention.query_key_value.bias, 1, BIAS",
    "layers.3.attention.dense.weight, 2, LINEAR",
    "layers.3.mlp.dense_h_to_4h.weight, 2, LINEAR",
    "layers.3.mlp.dense_4h_to_h.weight, 2, LINEAR",
    "layers.3.mlp.dense_4h_to_h.bias, 1, BIAS",
    "layers.3.mlp.dense_4h_to_h.ALinear.bias, 1, FACTOR",
    "layers.3.attention.bias, 4, BUFFER",
    "layers.3.attention.masked_bias, 0, BUFFER",
    "layers.3.attention.rotary_emb.inv_freq, 1, BUFFER",
    "something.else, 2, OTHER"
  })
  void gptNeoX(String name, int rank, TensorRole role) {
    assertThat(role("gpt_neox", name, rank)).isEqualTo(role);
    assertThat(role("gpt_neox", "gpt_neox." + name, rank)).isEqualTo(role);
  }

  @ParameterizedTest
  @CsvSource({
    "embeddings.word_embeddings.weight, 2, EMBEDDING",
    "embeddings.position_embeddings.weight, 2, EMBEDDING",
    "embeddings.LayerNorm.weight, 1, NORM",
    "transformer.layer.0.attention.q_lin.weight, 2, LINEAR",
    "transformer.layer.0.attention.out_lin.weight, 2, LINEAR",
    "transformer.layer.0.attention.out_lin.bias, 1, BIAS",
    "transformer.layer.0.sa_layer_norm.weight, 1, NORM",
    "transformer.layer.0.output_layer_norm.bias, 1, NORM",
    "transformer.layer.0.ffn.lin1.weight, 2, LINEAR",
    "transformer.layer.0.ffn.lin2.weight, 2, LINEAR",
    "transformer.layer.0.ffn.lin2.ALinear.weight, 2, FACTOR",
    "pre_classifier.weight, 2, HEAD",
    "classifier.bias, 1, HEAD",
    "vocab_transform.weight, 2, HEAD",
    "vocab_layer_norm.weight, 1, NORM",
    "vocab_projector.bias, 1, HEAD",
    "something.else, 2, OTHER"
  })
  void distilbert(String name, int rank, TensorRole role) {
    assertThat(role("distilbert", name, rank)).isEqualTo(role);
    assertThat(role("distilbert", "distilbert." + name, rank)).isEqualTo(role);
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, true",
    "bert, true",
    "gemma, true",
    "gemma2, true",
    "llama, false",
    "mistral, false",
    "qwen2, false",
    "qwen3, false",
    "phi3, false",
    "gpt_neox, false",
    "another, true"
  })
  void tiesEmbeddingsAsTheFamilyDoesUnlessTheConfigSays(String type, boolean usual) {
    String config = "{\"model_type\": \"" + type + "\"";
    assertThat(of(type).isTied(ModelConfig.parse(config + "}"))).isEqualTo(usual);
    for (boolean said : new boolean[] {true, false}) {
      String more = config + ", \"tie_word_embeddings\": " + said + "}";
      assertThat(of(type).isTied(ModelConfig.parse(more))).isEqualTo(said);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "embeddings.cls_token, 3, EMBEDDING",
    "embeddings.position_embeddings, 3, EMBEDDING",
    "embeddings.patch_embeddings.projection.weight, 4, OTHER",
    "embeddings.patch_embeddings.projection.bias, 1, BIAS",
    "encoder.layer.0.layernorm_before.weight, 1, NORM",
    "encoder.layer.0.layernorm_after.bias, 1, NORM",
    "encoder.layer.0.attention.attention.key.weight, 2, LINEAR",
    "encoder.layer.0.attention.attention.key.bias, 1, BIAS",
    "encoder.layer.0.attention.output.dense.weight, 2, LINEAR",
    "encoder.layer.0.intermediate.dense.weight, 2, LINEAR",
    "encoder.layer.0.output.dense.weight, 2, LINEAR",
    "layernorm.weight, 1, NORM",
    "classifier.weight, 2, HEAD",
    "pooler.dense.weight, 2, HEAD"
  })
  void vit(String name, int rank, TensorRole role) {
    assertThat(role("vit", name, rank)).isEqualTo(role);
    assertThat(role("vit", "vit." + name, rank)).isEqualTo(role);
  }

  @Test
  void tiedDecodersOfMaskedModels() {
    String words = "embeddings.word_embeddings.weight";
    assertThat(of("bert").tied())
        .containsEntry("cls.predictions.decoder.weight", words)
        .containsEntry("cls.predictions.decoder.bias", "cls.predictions.bias");
    assertThat(of("roberta").tied())
        .containsEntry("lm_head.decoder.weight", words)
        .containsEntry("lm_head.decoder.bias", "lm_head.bias");
    assertThat(of("distilbert").tied()).containsEntry("vocab_projector.weight", words);
  }

  @Test
  void headsStandOutsideThePrefix() {
    assertThat(role("gpt2", "lm_head.weight", 2)).isEqualTo(TensorRole.HEAD);
    assertThat(role("gpt2", "score.weight", 2)).isEqualTo(TensorRole.HEAD);
    assertThat(role("llama", "lm_head.weight", 2)).isEqualTo(TensorRole.HEAD);
    assertThat(role("gemma2", "score.weight", 2)).isEqualTo(TensorRole.HEAD);
    assertThat(role("gpt_neox", "embed_out.weight", 2)).isEqualTo(TensorRole.HEAD);
    assertThat(role("bert", "classifier.weight", 2)).isEqualTo(TensorRole.HEAD);
    assertThat(role("bert", "classifier.bias", 1)).isEqualTo(TensorRole.HEAD);
    assertThat(role("bert", "cls.predictions.transform.dense.weight", 2))
        .isEqualTo(TensorRole.HEAD);
  }

  @ParameterizedTest
  @CsvSource({
    "model.embed_tokens.weight, 2, EMBEDDING",
    "model.layers.0.input_layernorm.weight, 1, NORM",
    "model.norm.weight, 1, NORM",
    "model.layers.0.self_attn.q_proj.weight, 2, LINEAR",
    "model.layers.0.self_attn.q_proj.bias, 1, BIAS",
    "model.layers.0.mlp.down_proj.BLinear.weight, 2, FACTOR",
    "lm_head.weight, 2, HEAD",
    "layer1.0.conv1.weight, 4, CONVOLUTION"
  })
  void othersFollowTheGeneralRules(String name, int rank, TensorRole role) {
    assertThat(role("another", name, rank)).isEqualTo(role);
    assertThat(Architecture.of(Optional.empty()).role(info(name, rank))).isEqualTo(role);
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, transformer.wte.weight, true",
    "gpt2, lm_head.weight, true",
    "gpt2, wpe.weight, false",
    "gpt2, score.weight, false",
    "llama, model.embed_tokens.weight, true",
    "qwen2, lm_head.weight, true",
    "mistral, score.weight, false",
    "gpt_neox, gpt_neox.embed_in.weight, true",
    "gpt_neox, embed_out.weight, true",
    "bert, bert.embeddings.word_embeddings.weight, true",
    "bert, bert.embeddings.position_embeddings.weight, false",
    "bert, bert.embeddings.token_type_embeddings.weight, false",
    "bert, cls.predictions.bias, true",
    "bert, cls.predictions.decoder.weight, true",
    "bert, cls.predictions.transform.dense.bias, false",
    "bert, cls.seq_relationship.weight, false",
    "roberta, lm_head.decoder.bias, true",
    "roberta, lm_head.bias, true",
    "roberta, lm_head.dense.bias, false",
    "distilbert, vocab_projector.bias, true",
    "distilbert, vocab_transform.weight, false",
    "vit, vit.embeddings.cls_token, false",
    "mixtral, model.embed_tokens.weight, true",
    "mixtral, lm_head.weight, true",
    "mixtral, model.embed_positions.weight, false"
  })
  void someHaveARowForEachToken(String model, String name, boolean has) {
    assertThat(of(model).hasRowPerToken(name)).isEqualTo(has);
  }

  @Test
  void bareNames() {
    Architecture gpt2 = of("gpt2");
    assertThat(gpt2.bareName("transformer.wte.weight")).isEqualTo("wte.weight");
    assertThat(gpt2.bareName("wte.weight")).isEqualTo("wte.weight");
    assertThat(gpt2.isKnown()).isTrue();
    assertThat(of("another").isKnown()).isFalse();
    assertThat(of("another").bareName("transformer.x")).isEqualTo("transformer.x");
    assertThat(Architecture.of(Optional.of(ModelConfig.parse("{}"))).isKnown()).isFalse();
  }

  @Test
  void onlyMatricesAndConvolutionsInsideBlocksAreCompressed() {
    assertThat(TensorRole.values())
        .filteredOn(TensorRole::isBlockMatrix)
        .containsExactly(TensorRole.LINEAR, TensorRole.CONV1D, TensorRole.CONVOLUTION);
  }

  private static TensorRole role(String model, String name, int rank) {
    return of(model).role(info(name, rank));
  }

  private static Architecture of(String model) {
    return Architecture.of(Optional.of(ModelConfig.parse("{\"model_type\": \"" + model + "\"}")));
  }

  private static TensorInfo info(String name, int rank) {
    long[] sizes = new long[rank];
    Arrays.fill(sizes, 2);
    return new TensorInfo(name, DType.F32, Shape.of(sizes));
  }
}
