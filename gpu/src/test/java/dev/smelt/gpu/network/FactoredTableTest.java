package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Compressed;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks whose embeddings are stored as factors, tied to the head or not. */
class FactoredTableTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final List<Example> MASKED = TestData.masked(1, 7, 3);
  private static final List<Example> LABELLED = TestData.labelled(4, 1, 6);

  @TempDir private Path folder;

  private void assertRuns(TinyModel dense, List<Example> examples, String... tables) {
    Compressed factors = Compressed.factors(dense, tables);
    LogitAssertions.assertLogits(
        folder, factors.stored(), factors.dense(factors.stored()), examples);
  }

  @Test
  void tokensAndPositionsAreWhatTheirFactorsMake() {
    assertRuns(TinyModels.gpt2(), WINDOWS, "transformer.wte", "transformer.wpe");
    assertRuns(TinyModels.gpt2Classifier(), LABELLED, "transformer.wte");
    assertRuns(
        TinyModels.bert(),
        LABELLED,
        "bert.embeddings.word_embeddings",
        "bert.embeddings.position_embeddings",
        "bert.embeddings.token_type_embeddings");
  }

  @Test
  void aTiedHeadUsesTheSameFactors() {
    assertRuns(TinyDecoders.languageModel("gemma"), WINDOWS, "model.embed_tokens");
    assertRuns(TinyEncoders.bertMasked(), MASKED, "bert.embeddings.word_embeddings");
    assertRuns(TinyEncoders.distilBertMasked(), MASKED, "distilbert.embeddings.word_embeddings");
  }

  @Test
  void aHeadOfItsOwnIsLeftAlone() {
    assertRuns(TinyDecoders.languageModel("llama"), WINDOWS, "model.embed_tokens");
    assertRuns(TinyDecoders.languageModel("gpt_neox"), WINDOWS, "gpt_neox.embed_in");
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  @Test
  void copiesOfTheFactorsInATiedHeadMustBeEqual() {
    TinyModel stored = Compressed.factors(TinyModels.gpt2(), "transformer.wte").stored();
    TinyModel.Tensor a = stored.tensor("transformer.wte.ALinear.weight");
    TinyModel.Tensor b = stored.tensor("transformer.wte.BLinear.weight");
    TinyModel copied =
        stored.withTensor("lm_head.ALinear.weight", a).withTensor("lm_head.BLinear.weight", b);
    try (Network network = load(copied)) {
      assertThat(network.aliases())
          .isEqualTo(
              Map.of(
                  "lm_head.ALinear.weight",
                  "transformer.wte.ALinear.weight",
                  "lm_head.BLinear.weight",
                  "transformer.wte.BLinear.weight"));
    }
    TinyModel.Tensor other = TinyModels.random(new Random(4), 3, 8);
    assertThatThrownBy(() -> load(copied.withTensor("lm_head.BLinear.weight", other)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("tied weights differ", "lm_head.BLinear.weight");
  }

  @Test
  void aTiedHeadStoredInAnotherWayIsRefused() {
    TinyModel stored = Compressed.factors(TinyModels.gpt2(), "transformer.wte").stored();
    TinyModel.Tensor whole = TinyModels.gpt2().tensor("transformer.wte.weight");
    assertThatThrownBy(() -> load(stored.withTensor("lm_head.weight", whole)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("lm_head.weight", "transformer.wte.ALinear.weight");
    assertThatThrownBy(() -> load(stored.withTensor("transformer.wte.weight", whole)))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("both dense and factorised");
  }
}
