package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Llama's kin and GPT-NeoX, each variation against plain Java. */
class DecoderTest {

  /** Mixed lengths, so that batches have padding; some are beyond the windows of 3. */
  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3);

  private static final List<Example> LABELLED = TestData.labelled(4, 1, 7, 2, 6);

  @TempDir private Path folder;

  private void assertLogits(TinyModel model) {
    LogitAssertions.assertLogits(folder, model, WINDOWS);
  }

  private void assertChanged(TinyModel before, TinyModel model) {
    LogitAssertions.assertChanged(folder, before, model, WINDOWS);
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private void refuses(TinyModel model, Class<? extends BadInputException> type, String... named) {
    assertThatThrownBy(() -> load(model)).isInstanceOf(type).message().contains(named);
  }

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void runsLanguageModels(String type) {
    assertLogits(TinyDecoders.languageModel(type));
  }

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void runsClassifiers(String type) {
    LogitAssertions.assertLogits(folder, TinyDecoders.classifier(type), LABELLED);
  }

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void runsFactorsOfEveryMatrixAsTheProductTheyStandFor(String type) {
    TinyModel model = TinyDecoders.languageModel(type);
    TinyModel factors = Factors.ofEveryModule(model);
    LogitAssertions.assertLogits(folder, factors, Factors.expanded(factors, model), WINDOWS);
    TinyModel classifier = TinyDecoders.classifier(type).withConfig("id2label", TinyModel.NULL);
    factors = Factors.ofEveryModule(classifier);
    LogitAssertions.assertLogits(folder, factors, Factors.expanded(factors, classifier), LABELLED);
  }

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void acceptsNamesWithoutTheFamilysPrefix(String type) {
    TinyModel model = TinyDecoders.languageModel(type);
    TinyModel bare = model.renamed(name -> name.replaceFirst("^(model|gpt_neox)\\.", ""));
    LogitAssertions.assertLogits(folder, bare, model, WINDOWS);
  }

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void tiesTheHeadWhereTheConfigSaysSoAndOnlyThere(String type) {
    boolean neox = type.equals("gpt_neox");
    String head = neox ? "embed_out.weight" : "lm_head.weight";
    String table = neox ? "gpt_neox.embed_in.weight" : "model.embed_tokens.weight";
    TinyModel model = TinyDecoders.languageModel(type);
    TinyModel tied = model.without(head).withConfig("tie_word_embeddings", true);
    assertLogits(tied);
    TinyModel stored = tied.withTensor(head, tied.tensor(table));
    assertLogits(stored);
    try (Network network = load(stored)) {
      assertThat(network.aliases()).containsExactly(Map.entry(head, table));
    }
    TinyModel untied =
        model
            .withTensor(head, TinyModels.random(new Random(4), TinyModels.VOCABULARY, 8))
            .withConfig("tie_word_embeddings", false);
    assertLogits(untied);
    refuses(untied.withConfig("tie_word_embeddings", true), MismatchException.class, head, table);
  }

  @Test
  void honoursBiases() {
    TinyModel all =
        TinyDecoders.withBiases(
            TinyDecoders.languageModel("llama")
                .withConfig("attention_bias", true)
                .withConfig("mlp_bias", true),
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj");
    assertLogits(all);
    for (String type : List.of("qwen3", "gemma", "gemma2")) {
      assertLogits(
          TinyDecoders.withBiases(
              TinyDecoders.languageModel(type).withConfig("attention_bias", true),
              "self_attn.q_proj",
              "self_attn.k_proj",
              "self_attn.v_proj",
              "self_attn.o_proj"));
    }
    TinyModel neox = TinyDecoders.languageModel("gpt_neox").withConfig("attention_bias", false);
    for (int i = 0; i < 2; i++) {
      String attention = "gpt_neox.layers." + i + ".attention.";
      neox = neox.without(attention + "query_key_value.bias").without(attention + "dense.bias");
    }
    assertLogits(neox);
  }

  @Test
  void honoursHeadsOfTheirOwnWidthAndOneSharedByAll() {
    TinyModel llama = TinyDecoders.languageModel("llama");
    Random random = new Random(5);
    TinyModel one = llama.withConfig("num_key_value_heads", 1);
    TinyModel usual = llama.withoutConfig("head_dim").withoutConfig("num_key_value_heads");
    for (int i = 0; i < 2; i++) {
      String self = "model.layers." + i + ".self_attn.";
      for (String part : List.of("k_proj.weight", "v_proj.weight")) {
        one = one.withTensor(self + part, TinyModels.random(random, 4, 8));
      }
      for (String part : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
        usual = usual.withTensor(self + part + ".weight", TinyModels.random(random, 8, 8));
      }
    }
    assertLogits(one);
    assertLogits(usual);
    refuses(
        llama.withConfig("num_key_value_heads", 3), CorruptException.class, "num_key_value_heads");
    refuses(
        usual.withConfig("num_attention_heads", 3), CorruptException.class, "num_attention_heads");
  }

  @Test
  void honoursWindows() {
    TinyModel mistral = TinyDecoders.languageModel("mistral");
    assertChanged(mistral, mistral.withConfig("sliding_window", 1));
    assertChanged(mistral, mistral.withConfig("sliding_window", TinyModel.NULL));
    assertChanged(mistral, mistral.withoutConfig("sliding_window"));
    TinyModel phi3 = TinyDecoders.languageModel("phi3");
    assertChanged(phi3, phi3.withoutConfig("sliding_window"));
    List<String> reversed = List.of("full_attention", "sliding_attention");
    TinyModel gemma2 = TinyDecoders.languageModel("gemma2");
    assertChanged(gemma2, gemma2.withConfig("layer_types", reversed));
    assertChanged(gemma2, gemma2.withConfig("sliding_window", TinyModel.NULL));
    for (String type : List.of("qwen2", "qwen3")) {
      TinyModel qwen = TinyDecoders.languageModel(type).withConfig("sliding_window", 2);
      assertLogits(qwen);
      assertLogits(qwen.withConfig("use_sliding_window", true));
      TinyModel sliding = qwen.withConfig("use_sliding_window", true);
      assertChanged(qwen, sliding.withConfig("max_window_layers", 0));
      assertChanged(qwen, sliding.withConfig("max_window_layers", 1));
      assertChanged(qwen, sliding.withConfig("layer_types", reversed));
    }
  }

  @Test
  void refusesLayerTypesThatItCannotHonour() {
    List<String> sliding = List.of("sliding_attention", "sliding_attention");
    TinyModel mistral = TinyDecoders.languageModel("mistral");
    assertLogits(mistral.withConfig("layer_types", sliding));
    refuses(
        mistral.withConfig("layer_types", List.of("sliding_attention", "full_attention")),
        UnsupportedException.class,
        "full_attention");
    refuses(
        TinyDecoders.languageModel("qwen2").withConfig("layer_types", sliding),
        UnsupportedException.class,
        "sliding_attention",
        "no window");
    refuses(
        TinyDecoders.languageModel("llama").withConfig("layer_types", sliding),
        UnsupportedException.class,
        "sliding_attention");
    TinyModel gemma2 = TinyDecoders.languageModel("gemma2");
    refuses(
        gemma2.withConfig("layer_types", List.of("chunked_attention", "full_attention")),
        UnsupportedException.class,
        "chunked_attention");
    refuses(
        gemma2.withConfig("layer_types", List.of("full_attention")),
        CorruptException.class,
        "expected 2");
  }

  @Test
  void honoursSoftCapsAndScales() {
    TinyModel gemma2 = TinyDecoders.languageModel("gemma2");
    assertChanged(gemma2, gemma2.withConfig("attn_logit_softcapping", TinyModel.NULL));
    assertChanged(gemma2, gemma2.withConfig("final_logit_softcapping", TinyModel.NULL));
    assertChanged(
        gemma2,
        gemma2
            .withoutConfig("attn_logit_softcapping")
            .withoutConfig("final_logit_softcapping")
            .withoutConfig("query_pre_attn_scalar"));
  }

  @Test
  void honoursActivationsAndEpsilons() {
    assertLogits(TinyDecoders.languageModel("llama").withConfig("hidden_act", "gelu"));
    assertLogits(TinyDecoders.languageModel("gpt_neox").withConfig("hidden_act", "gelu_new"));
    assertLogits(TinyDecoders.languageModel("gpt_neox").withConfig("layer_norm_eps", 0.1));
    for (String type : TinyDecoders.FAMILIES) {
      assertLogits(TinyDecoders.languageModel(type).withConfig("rms_norm_eps", 0.1));
    }
    TinyModel gemma = TinyDecoders.languageModel("gemma");
    assertLogits(gemma.withConfig("hidden_activation", "relu"));
    LogitAssertions.assertLogits(folder, gemma.withConfig("hidden_act", "gelu"), gemma, WINDOWS);
    TinyModel other = gemma.withConfig("hidden_act", "silu");
    refuses(other, UnsupportedException.class, "silu", "hidden_activation");
    assertLogits(other.withConfig("hidden_activation", "tanh"));
  }

  @Test
  void honoursOptionsOfGptNeoX() {
    TinyModel neox = TinyDecoders.languageModel("gpt_neox");
    assertChanged(neox, neox.withConfig("use_parallel_residual", false));
    TinyModel whole = neox.withConfig("rotary_pct", 1.0);
    assertChanged(neox, whole);
    assertChanged(whole, whole.withConfig("rotary_emb_base", 100));
  }

  @Test
  void skipsBuffersOfOldCheckpoints() {
    TinyModel llama =
        TinyDecoders.languageModel("llama")
            .withTensor(
                "model.layers.0.self_attn.rotary_emb.inv_freq",
                TinyModels.random(new Random(1), 2));
    try (Network network = load(llama)) {
      assertThat(network.unusedTensors())
          .containsExactly("model.layers.0.self_attn.rotary_emb.inv_freq");
    }
  }

  @Test
  void refusesWhatWouldBeAnotherNetwork() {
    TinyModel llama = TinyDecoders.languageModel("llama");
    for (String key : List.of("num_local_experts", "logit_scale", "residual_multiplier")) {
      refuses(llama.withConfig(key, 2), UnsupportedException.class, key);
    }
    refuses(
        TinyDecoders.languageModel("gemma").withConfig("use_bidirectional_attention", true),
        UnsupportedException.class,
        "use_bidirectional_attention");
    refuses(
        llama.withConfig("partial_rotary_factor", 0.5),
        UnsupportedException.class,
        "partial_rotary_factor");
    refuses(
        TinyDecoders.languageModel("gemma2").withConfig("attn_logit_softcapping", 0),
        CorruptException.class,
        "attn_logit_softcapping");
  }

  @Test
  void saysWhatRunsOtherwise() {
    refuses(
        TinyDecoders.languageModel("llama").withConfig("model_type", "mamba"),
        UnsupportedException.class,
        "LlamaForCausalLM, LlamaForSequenceClassification, MistralForCausalLM",
        "TorchScript with --script");
  }
}
