package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
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

/** Networks whose layers have factors in common. */
class SharedBasesTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);

  @TempDir private Path folder;

  /** Both sides, across layers and kinds of modules. */
  private static Shared gpt2() {
    return new Shared(TinyModels.gpt2())
        .a(0, "transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_attn")
        .b(1, "transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_fc")
        .a(7, "transformer.h.0.mlp.c_proj", "transformer.h.1.attn.c_proj");
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
  void linearLayersAreWhatTheirFactorsMake() {
    assertRuns(gpt2(), WINDOWS);
    String layers = "model.layers.";
    assertRuns(
        new Shared(TinyDecoders.languageModel("llama"))
            .b(0, layers + "0.self_attn.q_proj", layers + "1.mlp.up_proj", "lm_head")
            .a(1, layers + "0.mlp.gate_proj", layers + "1.mlp.gate_proj"),
        WINDOWS);
    assertRuns(
        new Shared(TinyModels.bert())
            .a(3, "bert.encoder.layer.0.attention.self.key", "bert.pooler.dense")
            .b(4, "classifier", "bert.encoder.layer.1.intermediate.dense"),
        TestData.labelled(4, 1, 6));
  }

  @Test
  void classesAreCountedInASharedHead() {
    Shared shared = new Shared(TinyModels.gpt2Classifier()).a(0, "score");
    TinyModel stored = shared.stored().withoutConfig("id2label");
    LogitAssertions.assertLogits(
        folder, stored, shared.dense(shared.stored()), TestData.labelled(4, 1, 6));
  }

  @Test
  void tablesAndTiedHeadsAreWhatTheirFactorsMake() {
    assertRuns(
        new Shared(TinyModels.gpt2())
            .b(0, "transformer.wte", "transformer.wpe", "transformer.h.0.mlp.c_fc"),
        WINDOWS);
    assertRuns(new Shared(TinyModels.gpt2()).a(0, "transformer.wte"), WINDOWS);
  }

  @Test
  void kernelsAreWhatTheirFactorsMake() {
    String patches = "vit.embeddings.patch_embeddings.projection";
    assertRuns(new Shared(TinyEncoders.vit()).b(0, patches), TinyEncoders.images(3));
    assertRuns(new Shared(TinyEncoders.vit()).a(0, patches), TinyEncoders.images(3));
  }

  @Test
  void aBasisIsOneParameter() {
    try (Network network = load(gpt2().stored())) {
      List<String> names = network.parameters().stream().map(TensorInfo::name).toList();
      assertThat(names)
          .doesNotHaveDuplicates()
          .contains("smelt.basis.0", "smelt.basis.1", "smelt.basis.7")
          .containsExactlyInAnyOrderElementsOf(gpt2().stored().tensors().keySet());
    }
  }

  @Test
  void aFactorOfItsOwnBesideTheBasisIsRefused() {
    Tensor basis = gpt2().stored().tensor("smelt.basis.0");
    for (String own : List.of("ALinear.weight", "weight")) {
      TinyModel both = gpt2().stored().withTensor("transformer.h.1.attn.c_attn." + own, basis);
      assertThatThrownBy(() -> load(both).close())
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("'transformer.h.1.attn.c_attn." + own + "'", "'smelt.basis.0'");
    }
  }

  @Test
  void basesThatAreNotThoseOfTheListAreRefused() {
    TinyModel stored = gpt2().stored();
    assertThatThrownBy(() -> load(stored.without("smelt.basis.7")).close())
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("'smelt.basis.7' for transformer.h.0.mlp.c_proj");
    Tensor basis = stored.tensor("smelt.basis.0");
    assertThatThrownBy(() -> load(stored.withTensor("smelt.basis.2", basis)).close())
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("|smelt.basis.2]");
    assertThatThrownBy(() -> load(stored.withTensor("smelt.basis.1", basis)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("[smelt.basis.1]", "expected [3,8]", "found [24,3]");
  }

  @Test
  void aTiedHeadSharesWhatItsTableShares() {
    TinyModel tied = new Shared(TinyModels.gpt2()).a(0, "transformer.wte").stored();
    Tensor b = tied.tensor("transformer.wte.BLinear.weight");
    Shared copied =
        new Shared(
                TinyModels.gpt2()
                    .withTensor(
                        "lm_head.weight", TinyModels.gpt2().tensor("transformer.wte.weight")))
            .a(0, "transformer.wte", "lm_head");
    TinyModel equal =
        copied
            .stored()
            .withTensor("lm_head.BLinear.weight", b)
            .withTensor("transformer.wte.BLinear.weight", b);
    try (Network network = load(equal)) {
      assertThat(network.aliases())
          .containsOnlyKeys("lm_head.BLinear.weight")
          .containsValue("transformer.wte.BLinear.weight");
      assertThat(network.unusedTensors()).isEmpty();
    }
    Shared apart =
        new Shared(
                TinyModels.gpt2()
                    .withTensor(
                        "lm_head.weight", TinyModels.gpt2().tensor("transformer.wte.weight")))
            .a(0, "transformer.wte")
            .a(1, "lm_head");
    assertThatThrownBy(() -> load(apart.stored()).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("tied weights differ", "smelt.basis.1 equal to smelt.basis.0");
  }
}
