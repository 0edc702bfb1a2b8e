package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Cut;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks whose matrices are stored in parts along either axis, which may share bases. */
class PanelsTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final String C_FC = "transformer.h.0.mlp.c_fc";
  private static final String C_PROJ = "transformer.h.1.mlp.c_proj";

  @TempDir private Path folder;

  /** Panels of one matrix, of two, of rows and of columns; in order and not; dense and not. */
  private static Cut gpt2() {
    return new Cut(TinyModels.gpt2())
        .columns(C_FC, "0 4 4 1 A0", "4 3 3 1 A0", "7 1 1 1 dense")
        .columns("transformer.h.1.mlp.c_fc", "4 4 4 1 own", "0 4 4 1 A0")
        .columns(C_PROJ, "2 2 4 3 own", "0 2 4 3 A3")
        .columns("transformer.h.0.attn.c_proj", "0 4 4 1 A3", "4 4 4 1 dense")
        .rows("transformer.h.1.attn.c_attn", "0 9 9 1 B1", "9 9 9 1 B1", "18 6 6 1 dense")
        .rows("transformer.h.1.attn.c_proj", "4 4 4 1 B1", "0 4 4 1 own");
  }

  private void assertRuns(Cut cut, List<Example> examples) {
    TinyModel stored = cut.stored();
    LogitAssertions.assertLogits(folder, stored, cut.dense(stored), examples);
  }

  @Test
  void panelsAreTheMatrixTheyStandFor() {
    assertRuns(gpt2(), WINDOWS);
    String layers = "model.layers.";
    assertRuns(
        new Cut(TinyDecoders.languageModel("llama"))
            .columns(layers + "0.mlp.down_proj", "0 4 4 1 A0", "4 2 2 1 own")
            .columns(layers + "1.mlp.down_proj", "1 1 2 3 A0", "0 1 2 3 A0")
            .rows(layers + "0.mlp.up_proj", "0 4 4 1 B2", "4 2 2 1 dense")
            .columns("lm_head", "0 4 4 1 own", "4 4 4 1 dense"),
        WINDOWS);
    assertRuns(
        new Cut(TinyModels.bert())
            .columns("bert.pooler.dense", "0 5 5 1 own", "5 3 3 1 own")
            .columns("bert.encoder.layer.1.output.dense", "8 4 4 1 A5", "0 4 4 1 A5", "4 4 4 1 own")
            .columns("classifier", "0 6 6 1 dense", "6 2 2 1 own"),
        TestData.labelled(4, 1, 6));
  }

  @Test
  void classesOfAHeadInPartsAreCounted() {
    for (Cut cut :
        List.of(
            new Cut(TinyModels.gpt2Classifier()).columns("score", "0 4 4 1 own", "4 4 4 1 dense"),
            new Cut(TinyModels.gpt2Classifier()).columns("score", "0 4 4 1 dense", "4 4 4 1 own"),
            new Cut(TinyModels.gpt2Classifier()).columns("score", "0 4 4 1 A0", "4 4 4 1 A0"),
            new Cut(TinyModels.gpt2Classifier()).rows("score", "0 2 2 1 own", "2 1 1 1 dense"))) {
      TinyModel stored = cut.stored().withoutConfig("id2label");
      LogitAssertions.assertLogits(
          folder, stored, cut.dense(cut.stored()), TestData.labelled(4, 1, 6));
    }
  }

  @Test
  void aBasisIsOneParameter() {
    TinyModel stored = gpt2().stored();
    try (Network network = load(stored)) {
      List<String> names = network.parameters().stream().map(TensorInfo::name).toList();
      assertThat(names)
          .doesNotHaveDuplicates()
          .containsExactlyInAnyOrderElementsOf(stored.tensors().keySet());
    }
  }

  @Test
  void partsOfAnotherMatrixAreRefused() {
    TinyModel wide =
        new Cut(TinyModels.gpt2()).columns(C_FC, "0 4 4 1 own", "4 3 3 1 own").stored();
    assertThatThrownBy(() -> load(wide).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("|" + C_FC, "expected 8 columns from config.json", "parts of 7");
  }

  @Test
  void tensorsThatDoNotFitAreRefused() {
    TinyModel stored = gpt2().stored();
    assertThatThrownBy(() -> load(stored.without(C_FC + ".p1.BLinear.weight")).close())
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining(C_FC + ".p1.BLinear.weight");
    TinyModel.Tensor b = stored.tensor(C_FC + ".p0.BLinear.weight");
    assertThatThrownBy(() -> load(stored.withTensor(C_FC + ".p1.BLinear.weight", b)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll(C_FC + ".p1.BLinear.weight", "expected [3,3]", "found [3,4]");
    TinyModel.Tensor a = stored.tensor("smelt.basis.0");
    assertThatThrownBy(() -> load(stored.withTensor(C_FC + ".p1.ALinear.weight", a)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("'" + C_FC + ".p1.ALinear.weight'", "'smelt.basis.0'");
    TinyModel.Tensor whole = TinyModels.gpt2().tensor(C_PROJ + ".weight");
    assertThatThrownBy(() -> load(stored.withTensor(C_PROJ + ".weight", whole)).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("'" + C_PROJ + ".weight'");
  }

  @Test
  void tablesAndKernelsInPartsAreRefused() {
    TinyModel table =
        new Cut(TinyModels.gpt2())
            .columns("transformer.wpe", "0 4 4 1 own", "4 4 4 1 own")
            .stored();
    assertThatThrownBy(() -> load(table).close())
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("table in parts", "transformer.wpe", "smelt expand");
    String patches = "vit.embeddings.patch_embeddings.projection";
    List<Map<String, Object>> parts =
        List.of(
            Map.of("name", "p0", "columns", List.of(0, 4, 4, 1), "rank", 3),
            Map.of("name", "p1", "columns", List.of(4, 4, 4, 1)));
    TinyModel kernel =
        TinyEncoders.vit().withConfig("low_rank_modules", Map.of(patches, Map.of("parts", parts)));
    assertThatThrownBy(() -> load(kernel).close())
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("convolution in parts");
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }
}
