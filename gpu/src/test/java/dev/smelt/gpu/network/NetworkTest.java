package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkTest {

  /** f32 forward passes of these sizes against f64, in nats. */
  private static final double LOSS_TOLERANCE = 2e-6;

  /** Mixed lengths, so that batches have padding. */
  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3);

  private static final List<Example> LABELLED = TestData.labelled(4, 1, 7, 2, 6);

  @TempDir private Path folder;

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  /** The network's loss, at batch 1 and all at once, must be that of plain Java in f64. */
  private void assertLoss(TinyModel stored, TinyModel plain, List<Example> examples) {
    double sum = 0;
    long predictions = 0;
    for (Example example : examples) {
      sum -= PlainFisher.logLikelihood(plain, example);
      predictions += example instanceof Example.Window window ? window.length() : 1;
    }
    try (Network network = load(stored)) {
      for (int batch : new int[] {1, 2, examples.size()}) {
        Evaluation found =
            Evaluator.evaluate(network, TestData.dataset(examples), batch, Progress.NONE);
        assertThat(found.loss()).isCloseTo(sum / predictions, within(LOSS_TOLERANCE));
        assertThat(found.examples()).isEqualTo(examples.size());
      }
    }
  }

  private void assertLoss(TinyModel model, List<Example> examples) {
    assertLoss(model, model, examples);
  }

  @Test
  void runsGpt2() {
    assertLoss(TinyModels.gpt2(), WINDOWS);
    assertLoss(TinyModels.gpt2Classifier(), LABELLED);
  }

  @Test
  void runsBert() {
    assertLoss(TinyModels.bert(), LABELLED);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gelu",
        "gelu_new",
        "gelu_fast",
        "gelu_pytorch_tanh",
        "relu",
        "silu",
        "swish",
        "tanh"
      })
  void honoursActivations(String name) {
    assertLoss(TinyModels.gpt2().withConfig("activation_function", name), WINDOWS);
    assertLoss(TinyModels.bert().withConfig("hidden_act", name), LABELLED);
  }

  @Test
  void honoursOptionsOfGpt2() {
    TinyModel gpt2 = TinyModels.gpt2();
    assertLoss(gpt2.withConfig("layer_norm_epsilon", 0.1), WINDOWS);
    assertLoss(gpt2.withConfig("scale_attn_weights", false), WINDOWS);
    assertLoss(gpt2.withConfig("scale_attn_by_inverse_layer_idx", true), WINDOWS);
    assertLoss(gpt2.withConfig("reorder_and_upcast_attn", true), WINDOWS);
    assertLoss(TinyModels.bert().withConfig("layer_norm_eps", 0.1), LABELLED);
  }

  @Test
  void acceptsNamesWithoutTheFamilysPrefix() {
    TinyModel gpt2 = TinyModels.gpt2();
    assertLoss(gpt2.renamed(name -> name.replace("transformer.", "")), gpt2, WINDOWS);
    TinyModel bert = TinyModels.bert();
    assertLoss(bert.renamed(name -> name.replace("bert.", "")), bert, LABELLED);
  }

  @Test
  void tiesTheHeadOfLanguageModelsOnce() {
    TinyModel gpt2 = TinyModels.gpt2();
    TinyModel stored = gpt2.withTensor("lm_head.weight", gpt2.tensor("transformer.wte.weight"));
    assertLoss(stored, WINDOWS);
    try (Network network = load(stored)) {
      assertThat(network.parameters()).noneMatch(p -> p.name().equals("lm_head.weight"));
      assertThat(network.aliases())
          .containsExactly(Map.entry("lm_head.weight", "transformer.wte.weight"));
      assertThat(network.unusedTensors()).isEmpty();
    }
    TinyModel different = stored.withTensor("lm_head.weight", headOfItsOwn());
    assertThatThrownBy(() -> load(different))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("lm_head.weight")
        .hasMessageContaining("tie_word_embeddings");
  }

  @Test
  void runsLanguageModelsWithAHeadOfTheirOwn() {
    TinyModel untied =
        TinyModels.gpt2()
            .withTensor("lm_head.weight", headOfItsOwn())
            .withConfig("tie_word_embeddings", false);
    assertLoss(untied, WINDOWS);
    assertThatThrownBy(() -> load(untied.without("lm_head.weight")))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("lm_head.weight");
  }

  private static Tensor headOfItsOwn() {
    return TinyModels.random(new Random(3), TinyModels.VOCABULARY, 8);
  }

  @Test
  void runsFactorsAsTheProductTheyStandFor() {
    TinyModel gpt2 = Factors.ofEveryModule(TinyModels.gpt2());
    assertThat(gpt2.has("transformer.h.0.attn.c_attn.weight")).isFalse();
    assertLoss(gpt2, Factors.expanded(gpt2, TinyModels.gpt2()), WINDOWS);
    TinyModel bert = Factors.ofEveryModule(TinyModels.bert());
    assertLoss(bert, Factors.expanded(bert, TinyModels.bert()), LABELLED);
  }

  @Test
  void refusesModulesThatAreBothDenseAndFactorised() {
    String name = "transformer.h.0.mlp.c_fc.weight";
    TinyModel both =
        Factors.ofEveryModule(TinyModels.gpt2()).withTensor(name, TinyModels.gpt2().tensor(name));
    assertThatThrownBy(() -> load(both))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("transformer.h.0.mlp.c_fc.BLinear.weight");
  }

  @Test
  void tellsWhatItIsAndWhatItDoesNotUse() {
    TinyModel model =
        TinyModels.gpt2Classifier()
            .withTensor("transformer.h.0.attn.bias", TinyModels.random(new Random(1), 1, 1, 7, 7));
    try (Network network = load(model)) {
      InputSpec.Tokens input = (InputSpec.Tokens) network.input();
      assertThat(input.task()).isEqualTo(Task.CLASSIFICATION);
      assertThat(input.maxPositions()).isEqualTo(TinyModels.POSITIONS);
      assertThat(input.vocabularySize()).isEqualTo(TinyModels.VOCABULARY);
      assertThat(network.input().labels()).containsExactly("low", "middle", "high");
      assertThat(network.unusedTensors()).containsExactly("transformer.h.0.attn.bias");
      assertThat(network.parameters()).hasSize(model.tensors().size() - 1);
    }
  }

  @Test
  void numbersClassesThatTheConfigDoesNotName() {
    try (Network network = load(TinyModels.bert().withConfig("id2label", "none"))) {
      assertThat(network.input().labels()).containsExactly("LABEL_0", "LABEL_1", "LABEL_2");
    }
    TinyModel one = TinyModels.bert().withConfig("id2label", Map.of("0", "score"));
    refuses(one, "at least 2 classes");
  }

  @Test
  void refusesNetworksThatAreNotBuiltIn() {
    assertThatThrownBy(() -> load(TinyModels.gpt2().withConfig("model_type", "mamba")))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("mamba")
        .hasMessageContainingAll(
            "BertForSequenceClassification", "GPT2ForSequenceClassification", "GPT2LMHeadModel");
    assertThatThrownBy(
            () ->
                load(
                    TinyModels.bert()
                        .withConfig("architectures", List.of("BertForTokenClassification"))))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("BertForTokenClassification");
  }

  @Test
  void refusesOptionsThatItDoesNotHave() {
    refuses(TinyModels.gpt2().withConfig("activation_function", "quick_gelu"), "quick_gelu");
    refuses(TinyModels.gpt2().withConfig("add_cross_attention", true), "add_cross_attention");
    refuses(TinyModels.bert().withConfig("hidden_act", "selu"), "selu");
    refuses(TinyModels.bert().withConfig("is_decoder", true), "is_decoder");
    refuses(
        TinyModels.bert().withConfig("position_embedding_type", "relative_key"), "relative_key");
    refuses(
        TinyModels.bert().withConfig("problem_type", "multi_label_classification"), "multi_label");
  }

  private void refuses(TinyModel model, String named) {
    assertThatThrownBy(() -> load(model))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining(named);
  }

  @Test
  void namesTensorsThatAreMissingOrOfTheWrongShape() {
    String name = "bert.encoder.layer.1.output.dense.weight";
    assertThatThrownBy(() -> load(TinyModels.bert().without(name)))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("[8,12]");
    Tensor wrong = TinyModels.random(new Random(1), 12, 8);
    assertThatThrownBy(() -> load(TinyModels.bert().withTensor(name, wrong)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("expected [8,12]")
        .hasMessageContaining("found [12,8]");
  }

  @Test
  void refusesWeightsThatAreNotFinite() {
    TinyModel model = TinyModels.bert().copy();
    model.tensor("classifier.bias").values()[2] = Double.NaN;
    assertThatThrownBy(() -> load(model))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining("classifier.bias")
        .hasMessageContaining("element 2");
  }

  @Test
  void needsAConfig() {
    TestTensor tensor = TestTensors.f32("transformer.wte.weight", Shape.of(1), 1);
    Path file = TestCheckpoints.file(folder.resolve("alone.safetensors"), List.of(tensor));
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThatThrownBy(() -> Network.load(checkpoint, TestDevice.get()))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("without config.json");
    }
  }
}
