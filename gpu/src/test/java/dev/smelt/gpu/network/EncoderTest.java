package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.plain.Compressed;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EncoderTest {

  /** f32 forward passes of these sizes against f64, in nats. */
  private static final double LOSS_TOLERANCE = 2e-6;

  /** Mixed lengths, so that batches have padding. */
  private static final List<Example> MASKED = TestData.masked(4, 1, 7, 3);

  private static final List<Example> LABELLED = TestData.labelled(4, 1, 7, 2, 6);

  private static final List<Example> IMAGES = TinyEncoders.images(4);

  @TempDir private Path folder;

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private void assertLogits(TinyModel stored, TinyModel plain, List<Example> examples) {
    LogitAssertions.assertLogits(folder, stored, plain, examples);
  }

  private void assertLogits(TinyModel model, List<Example> examples) {
    assertLogits(model, model, examples);
  }

  @Test
  void runsClassifiersOfText() {
    assertLogits(TinyModels.bert(), LABELLED);
    assertLogits(TinyEncoders.roberta(), LABELLED);
    assertLogits(TinyEncoders.distilBert(), LABELLED);
  }

  @Test
  void runsMaskedModels() {
    assertLogits(TinyEncoders.bertMasked(), MASKED);
    assertLogits(TinyEncoders.robertaMasked(), MASKED);
    assertLogits(TinyEncoders.distilBertMasked(), MASKED);
  }

  @Test
  void runsClassifiersOfImages() {
    assertLogits(TinyEncoders.vit(), IMAGES);
  }

  @Test
  void countsOnlyHiddenTokensInTheLoss() {
    TinyModel model = TinyEncoders.bertMasked();
    double sum = 0;
    long hidden = 0;
    for (Example example : MASKED) {
      sum -= PlainFisher.logLikelihood(model, example);
      for (int target : ((Example.Masked) example).targets()) {
        hidden += target == Batch.NO_TARGET ? 0 : 1;
      }
    }
    try (Network network = load(model)) {
      for (int batch : new int[] {1, MASKED.size()}) {
        Evaluation found =
            Evaluator.evaluate(network, TestData.dataset(MASKED), batch, Progress.NONE);
        assertThat(found.loss()).isCloseTo(sum / hidden, within(LOSS_TOLERANCE));
        assertThat(found.perplexity()).hasValue(Math.exp(found.loss()));
        assertThat(found.tokens()).isEqualTo(15);
      }
    }
  }

  @Test
  void evaluatesImages() {
    TinyModel model = TinyEncoders.vit();
    double sum = 0;
    for (Example example : IMAGES) {
      sum -= PlainFisher.logLikelihood(model, example);
    }
    try (Network network = load(model)) {
      Evaluation found = Evaluator.evaluate(network, TestData.dataset(IMAGES), 3, Progress.NONE);
      assertThat(found.loss()).isCloseTo(sum / IMAGES.size(), within(LOSS_TOLERANCE));
      assertThat(found.perplexity()).isEmpty();
      assertThat(found.tokens()).isZero();
    }
  }

  @Test
  void refusesLabelsBeyondItsClasses() {
    List<Example> examples =
        List.of(
            new Example.Labelled(new int[2], new int[2], 1),
            new Example.Labelled(new int[2], new int[2], TinyModels.CLASSES));
    try (Network network = load(TinyEncoders.roberta())) {
      assertThatThrownBy(
              () -> Evaluator.evaluate(network, TestData.dataset(examples), 2, Progress.NONE))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("examples 0 to 1", "found 3", "has 3");
    }
  }

  @Test
  void honoursOptions() {
    assertLogits(TinyEncoders.bertMasked().withConfig("hidden_act", "relu"), MASKED);
    assertLogits(TinyEncoders.bertMasked().withConfig("layer_norm_eps", 0.1), MASKED);
    assertLogits(TinyEncoders.robertaMasked().withConfig("hidden_act", "relu"), MASKED);
    assertLogits(TinyEncoders.roberta().withConfig("layer_norm_eps", 0.1), LABELLED);
    assertLogits(TinyEncoders.distilBertMasked().withConfig("activation", "relu"), MASKED);
    assertLogits(TinyEncoders.vit().withConfig("hidden_act", "gelu_new"), IMAGES);
    assertLogits(TinyEncoders.vit().withConfig("layer_norm_eps", 0.1), IMAGES);
    TinyModel unbiased = TinyEncoders.vit().withConfig("qkv_bias", false);
    for (String name : TinyEncoders.vit().tensors().keySet()) {
      if (name.matches(".*(query|key|value)\\.bias")) {
        unbiased = unbiased.without(name);
      }
    }
    assertLogits(unbiased, IMAGES);
  }

  @Test
  void takesSizesOfImagesAsOneNumber() {
    TinyModel square =
        TinyEncoders.vit()
            .withConfig("image_size", 4)
            .withConfig("patch_size", 2)
            .withTensor(
                "vit.embeddings.position_embeddings", TinyModels.random(new Random(1), 1, 5, 8))
            .withTensor(
                "vit.embeddings.patch_embeddings.projection.weight",
                TinyModels.random(new Random(2), 8, 3, 2, 2));
    assertLogits(square, TestData.images(2, 3, 4, 4));
    try (Network network = load(square)) {
      assertThat(network.input())
          .isEqualTo(new InputSpec.Images(3, 4, 4, List.of("low", "middle", "high")));
    }
  }

  /** Rows and columns that do not fill a patch are left out, as a strided convolution does. */
  @Test
  void leavesOutWhatDoesNotFillAPatch() {
    assertLogits(
        TinyEncoders.vit().withConfig("image_size", List.of(5, 11)), TestData.images(2, 3, 5, 11));
  }

  @Test
  void countsPositionsOfRobertaAfterThePaddingToken() {
    int[] ids = {3, 1, 5, 1, 1, 7};
    int[] targets = {3, -1, 5, -1, 2, 7};
    List<Example> examples = List.of(new Example.Masked(ids, new int[6], targets));
    assertLogits(TinyEncoders.robertaMasked(), examples);
    TinyModel zero = TinyEncoders.robertaMasked().withConfig("pad_token_id", 0);
    assertLogits(zero, MASKED);
    try (Network network = load(zero)) {
      assertThat(((InputSpec.Tokens) network.input()).maxPositions())
          .isEqualTo(TinyModels.POSITIONS + 1);
    }
    try (Network network = load(TinyEncoders.robertaMasked())) {
      InputSpec.Tokens input = (InputSpec.Tokens) network.input();
      assertThat(input.maxPositions()).isEqualTo(TinyModels.POSITIONS);
      assertThat(input.task()).isEqualTo(Task.MASKED_LANGUAGE_MODELING);
    }
    assertThatThrownBy(() -> load(TinyEncoders.roberta().withConfig("pad_token_id", 8)))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("pad_token_id");
  }

  @Test
  void acceptsNamesWithoutTheFamilysPrefix() {
    for (TinyModel model : List.of(TinyEncoders.roberta(), TinyEncoders.distilBert())) {
      TinyModel bare = model.renamed(name -> name.replaceFirst("^(roberta|distilbert)\\.", ""));
      assertLogits(bare, model, LABELLED);
    }
    TinyModel vit = TinyEncoders.vit();
    assertLogits(vit.renamed(name -> name.replaceFirst("^vit\\.", "")), vit, IMAGES);
  }

  @Test
  void knowsTheStoredCopiesOfMaskedModels() {
    assertCopies(
        TinyEncoders.bertMasked(),
        Map.of(
            "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias", "cls.predictions.bias"));
    assertCopies(
        TinyEncoders.robertaMasked(),
        Map.of(
            "lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight",
            "lm_head.decoder.bias", "lm_head.bias"));
    assertCopies(
        TinyEncoders.distilBertMasked(),
        Map.of("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"));
  }

  private void assertCopies(TinyModel model, Map<String, String> copies) {
    TinyModel stored = model;
    for (Map.Entry<String, String> copy : copies.entrySet()) {
      stored = stored.withTensor(copy.getKey(), model.tensor(copy.getValue()));
    }
    assertLogits(stored, MASKED);
    try (Network network = load(stored)) {
      assertThat(network.aliases()).isEqualTo(copies);
      assertThat(network.unusedTensors()).isEmpty();
      assertThat(network.parameters()).hasSize(model.tensors().size());
    }
    for (String copy : copies.keySet()) {
      TinyModel other = stored.copy();
      other.tensor(copy).values()[1] += 1;
      assertThatThrownBy(() -> load(other))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("tied weights differ", copy);
    }
  }

  @Test
  void takesTheBiasUnderItsOtherName() {
    TinyModel bert = TinyEncoders.bertMasked();
    TinyModel renamed =
        bert.renamed(name -> name.replace("predictions.bias", "predictions.decoder.bias"));
    assertLogits(renamed, bert, MASKED);
    assertThatThrownBy(() -> load(bert.without("cls.predictions.bias")))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("cls.predictions.bias");
  }

  @Test
  void runsDecodersThatAreNotTied() {
    TinyModel.Tensor own = TinyModels.random(new Random(5), TinyModels.VOCABULARY, 8);
    Map<String, TinyModel> decoders =
        Map.of(
            "cls.predictions.decoder.weight", TinyEncoders.bertMasked(),
            "lm_head.decoder.weight", TinyEncoders.robertaMasked(),
            "vocab_projector.weight", TinyEncoders.distilBertMasked());
    decoders.forEach(
        (name, model) ->
            assertLogits(
                model.withTensor(name, own).withConfig("tie_word_embeddings", false), MASKED));
  }

  @Test
  void runsFactorsAsTheProductTheyStandFor() {
    for (TinyModel dense :
        List.of(
            TinyEncoders.bertMasked(),
            TinyEncoders.robertaMasked(),
            TinyEncoders.distilBertMasked())) {
      TinyModel factors = Factors.ofEveryModule(dense);
      assertLogits(factors, Factors.expanded(factors, dense), MASKED);
    }
    for (TinyModel dense : List.of(TinyEncoders.roberta(), TinyEncoders.distilBert())) {
      TinyModel factors = Factors.ofEveryModule(dense);
      assertLogits(factors, Factors.expanded(factors, dense), LABELLED);
    }
    TinyModel factors = Factors.ofEveryModule(TinyEncoders.vit());
    assertLogits(factors, Factors.expanded(factors, TinyEncoders.vit()), IMAGES);
  }

  @Test
  void runsPatchesFromFactors() {
    Compressed factors =
        Compressed.factors(TinyEncoders.vit(), "vit.embeddings.patch_embeddings.projection");
    assertLogits(factors.stored(), factors.dense(factors.stored()), IMAGES);
  }

  @Test
  void refusesOptionsThatItDoesNotHave() {
    refuses(TinyEncoders.bertMasked().withConfig("is_decoder", true), "is_decoder");
    refuses(TinyEncoders.roberta().withConfig("add_cross_attention", true), "cross-attention");
    refuses(
        TinyEncoders.robertaMasked().withConfig("position_embedding_type", "relative_key"),
        "relative_key");
    refuses(TinyEncoders.distilBert().withConfig("is_decoder", true), "is_decoder");
    refuses(TinyEncoders.distilBert().withConfig("activation", "selu"), "selu");
    refuses(TinyEncoders.vit().withConfig("hidden_act", "selu"), "selu");
    refuses(
        TinyEncoders.vit().withConfig("interpolate_pos_encoding", true),
        "interpolate_pos_encoding");
    refuses(
        TinyEncoders.vit().withConfig("problem_type", "multi_label_classification"), "multi_label");
  }

  private void refuses(TinyModel model, String named) {
    assertThatThrownBy(() -> load(model))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining(named);
  }

  @Test
  void refusesPositionsOfAnotherImageSize() {
    assertThatThrownBy(() -> load(TinyEncoders.vit().withConfig("image_size", List.of(8, 9))))
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("position_embeddings", "expected [1,13,8]", "found [1,7,8]");
    assertThatThrownBy(() -> load(TinyEncoders.vit().withConfig("patch_size", 0)))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("patch_size");
  }
}
