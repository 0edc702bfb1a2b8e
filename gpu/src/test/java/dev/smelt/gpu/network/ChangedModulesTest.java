package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Shared;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks with layers that are a matrix and a change of it. */
class ChangedModulesTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final String TABLE = "transformer.wte";
  private static final String FIRST = "transformer.h.0.attn.c_attn";
  private static final String SECOND = "transformer.h.1.attn.c_attn";
  private static final String INNER = "transformer.h.0.mlp.c_fc";

  @TempDir private Path folder;

  /** Conv1D; the second shares a basis with a module that is no change. */
  private static Shared gpt2() {
    return new Shared(TinyModels.gpt2()).a(0, FIRST, SECOND).own(INNER).delta(SECOND, INNER);
  }

  private void assertRuns(Shared shared, List<Example> examples) {
    TinyModel stored = shared.stored();
    LogitAssertions.assertLogits(folder, stored, shared.dense(stored), examples);
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  @Test
  void linearLayersAreTheMatrixAndItsChange() {
    assertRuns(gpt2(), WINDOWS);
    String[] llama = {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj", "lm_head"};
    assertRuns(new Shared(TinyDecoders.languageModel("llama")).b(0, llama).delta(llama), WINDOWS);
    String[] bert = {"bert.pooler.dense", "classifier"};
    assertRuns(new Shared(TinyModels.bert()).own(bert).delta(bert), TestData.labelled(4, 1, 6));
  }

  @Test
  void classesAreCountedInAChangedHead() {
    Shared shared = new Shared(TinyModels.gpt2Classifier()).own("score").delta("score");
    TinyModel stored = shared.stored().withoutConfig("id2label");
    LogitAssertions.assertLogits(
        folder, stored, shared.dense(shared.stored()), TestData.labelled(4, 1, 6));
  }

  @Test
  void tablesAndTiedHeadsAreTheTableAndItsChange() {
    assertRuns(
        new Shared(TinyModels.gpt2())
            .b(0, TABLE, "transformer.wpe", INNER)
            .delta(TABLE, "transformer.wpe"),
        WINDOWS);
    assertRuns(new Shared(TinyModels.gpt2()).own(TABLE).delta(TABLE), WINDOWS);
  }

  @Test
  void kernelsAreTheKernelAndItsChange() {
    String patches = "vit.embeddings.patch_embeddings.projection";
    assertRuns(new Shared(TinyEncoders.vit()).own(patches).delta(patches), TinyEncoders.images(3));
    assertRuns(new Shared(TinyEncoders.vit()).b(0, patches).delta(patches), TinyEncoders.images(3));
  }

  @Test
  void matrixAndFactorsAreParameters() {
    try (Network network = load(gpt2().stored())) {
      assertThat(network.parameters().stream().map(TensorInfo::name))
          .doesNotHaveDuplicates()
          .contains(SECOND + ".weight", SECOND + ".bias", SECOND + ".BLinear.weight")
          .containsExactlyInAnyOrderElementsOf(gpt2().stored().tensors().keySet());
    }
  }

  @Test
  void aMatrixThatIsMissingOrDoesNotFitIsRefused() {
    TinyModel stored = gpt2().stored();
    assertThatThrownBy(() -> load(stored.without(INNER + ".weight")).close())
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("'" + INNER + ".weight'");
    assertThatThrownBy(() -> load(stored.without(INNER + ".BLinear.weight")).close())
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("'" + INNER + ".BLinear.weight'");
    Tensor other = stored.tensor(SECOND + ".weight");
    assertThatThrownBy(() -> load(stored.withTensor(INNER + ".weight", other)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("[" + INNER + ".weight]");
  }

  /** Were it ignored, it would not matter which of two was meant. */
  @Test
  void aSecondBiasIsRefused() {
    TinyModel stored = gpt2().stored();
    Tensor bias = stored.tensor(INNER + ".bias");
    assertThatThrownBy(() -> load(stored.withTensor(INNER + ".ALinear.bias", bias)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("'" + INNER + ".ALinear.bias'", "'" + INNER + ".bias'");
  }

  @Test
  void factorsThatAreNoChangeStillStandAlone() {
    TinyModel stored = gpt2().stored();
    Tensor matrix = stored.tensor(SECOND + ".weight");
    assertThatThrownBy(() -> load(stored.withTensor(FIRST + ".weight", matrix)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("both dense and factorised", "'" + FIRST + ".weight'");
  }

  /** The matrix alone is not what the table is. */
  @Test
  void aTiedHeadIsACopyOfMatrixAndChange() {
    Shared table = new Shared(TinyModels.gpt2()).own(TABLE).delta(TABLE);
    Tensor matrix = table.stored().tensor(TABLE + ".weight");
    assertThatThrownBy(() -> load(table.stored().withTensor("lm_head.weight", matrix)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("tied weights stored in different ways", "lm_head.weight");
    TinyModel both =
        new Shared(TinyModels.gpt2().withTensor("lm_head.weight", matrix))
            .own(TABLE, "lm_head")
            .delta(TABLE, "lm_head")
            .stored();
    TinyModel equal =
        both.withTensor("lm_head.ALinear.weight", both.tensor(TABLE + ".ALinear.weight"))
            .withTensor("lm_head.BLinear.weight", both.tensor(TABLE + ".BLinear.weight"));
    try (Network network = load(equal)) {
      assertThat(network.aliases())
          .containsOnlyKeys("lm_head.weight", "lm_head.ALinear.weight", "lm_head.BLinear.weight");
      assertThat(network.unusedTensors()).isEmpty();
    }
    assertThatThrownBy(() -> load(both).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("tied weights differ");
  }
}
