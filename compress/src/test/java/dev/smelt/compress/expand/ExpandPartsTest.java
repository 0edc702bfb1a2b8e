package dev.smelt.compress.expand;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Matrices in parts and convolutions, put together by hand. */
class ExpandPartsTest {

  /** Rows 0 and 2 of W are q's, 1 and 3 v's. */
  private static final String PARTS =
      """
      {"low_rank_modules": {"m": {"parts": [
         {"name": "q", "rows": [0, 1, 2, 2], "rank": 1},
         {"name": "v", "rows": [1, 1, 2, 2]}]%s}}}
      """;

  /** q is [[3, 4, 5], [6, 8, 10]]. */
  private static final List<TestTensor> TENSORS =
      List.of(
          f32("m.q.ALinear.weight", Shape.of(2, 1), 1, 2),
          f32("m.q.BLinear.weight", Shape.of(1, 3), 3, 4, 5),
          f32("m.v.weight", Shape.of(2, 3), -1, -2, -3, -4, -5, -6),
          f32("m.bias", Shape.of(4), 1, 2, 3, 4));

  @TempDir private Path folder;

  private Path expand(String config, List<TestTensor> tensors) {
    Path source = TestCheckpoints.folder(folder.resolve("in"), config, tensors);
    return Expansion.of(source, folder.resolve("expanded"), Optional.empty());
  }

  @Test
  void partsBecomeTheWhole() {
    try (Checkpoint dense = Checkpoint.open(expand(PARTS.formatted(""), TENSORS))) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("m.weight", Shape.of(4, 3), 3, 4, 5, -1, -2, -3, 6, 8, 10, -4, -5, -6),
              f32("m.bias", Shape.of(4), 1, 2, 3, 4)));
      assertThat(dense.config().orElseThrow().toJson().strip()).isEqualTo("{}");
    }
  }

  @Test
  void partsBecomeTheWholeThatWasStoredTransposed() {
    String config = PARTS.formatted(", \"transposed\": true");
    try (Checkpoint dense = Checkpoint.open(expand(config, TENSORS))) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("m.weight", Shape.of(3, 4), 3, -1, 6, -4, 4, -2, 8, -5, 5, -3, 10, -6),
              f32("m.bias", Shape.of(4), 1, 2, 3, 4)));
    }
  }

  @Test
  void recordsCountAllParts() {
    Path source = TestCheckpoints.folder(folder.resolve("in"), PARTS.formatted(""), TENSORS);
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      Expander expander = new Expander(checkpoint, Optional.empty());
      assertThat(expander.records())
          .containsExactlyInAnyOrder(
              TensorRecord.of("m.weight", TensorRecord.EXPANDED, 44, 48),
              TensorRecord.kept("m.bias", null, 16, 16));
      assertThat(DenseModel.of(checkpoint).tensors().getFirst().rank()).isEmpty();
      assertThat(DenseModel.of(checkpoint).tensors().getFirst().storedElements()).isEqualTo(11);
    }
  }

  /** W[o, c, 0, j] = a[o]·b[c, 0, j]. */
  @Test
  void convolutionsBecomeTheirKernel() {
    List<TestTensor> tensors =
        List.of(
            f32("c.ALinear.weight", Shape.of(2, 1, 1, 1), 1, 10),
            f32("c.BLinear.weight", Shape.of(1, 2, 1, 2), 1, 2, 3, 4),
            f32("c.ALinear.bias", Shape.of(2), 5, 6));
    try (Checkpoint dense =
        Checkpoint.open(expand("{\"low_rank_modules\": {\"c\": {\"rank\": 1}}}", tensors))) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("c.weight", Shape.of(2, 2, 1, 2), 1, 2, 3, 4, 10, 20, 30, 40),
              f32("c.bias", Shape.of(2), 5, 6)));
    }
  }

  @Test
  void modelCodeForFactorsIsLeftOut() {
    TestCheckpoints.write(folder.resolve("in/modeling_smelt.py"), "import torch\n");
    TestCheckpoints.write(folder.resolve("in/modeling_mine.py"), "import torch\n");
    String config =
        PARTS
            .formatted("")
            .replaceFirst(
                "\\{",
                "{\"auto_map\": {\"AutoTokenizer\": \"mine.T\", \"AutoModelForCausalLM\":"
                    + " \"modeling_smelt.SmeltGPT2LMHeadModel\"},");
    Path out = expand(config, TENSORS);
    CheckpointAssertions.assertEntries(out, "config.json", "model.safetensors", "modeling_mine.py");
    try (Checkpoint dense = Checkpoint.open(out)) {
      assertThat(dense.config().orElseThrow())
          .isEqualTo(ModelConfig.parse("{\"auto_map\": {\"AutoTokenizer\": \"mine.T\"}}"));
    }
  }

  @Test
  void aMissingPartIsNamed() {
    for (TestTensor tensor : TENSORS.subList(0, 3)) {
      List<TestTensor> tensors = new ArrayList<>(TENSORS);
      tensors.remove(tensor);
      assertThatThrownBy(() -> expand(PARTS.formatted(""), tensors))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("'" + tensor.name() + "'");
    }
  }

  @Test
  void theWholeHasTheWidestTypeOfItsParts() {
    List<TestTensor> tensors = new ArrayList<>(TENSORS);
    tensors.set(2, bf16("m.v.weight", Shape.of(2, 3), -1, -2, -3, -4, -5, -6));
    try (Checkpoint dense = Checkpoint.open(expand(PARTS.formatted(""), tensors))) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("m.weight", Shape.of(4, 3), 3, 4, 5, -1, -2, -3, 6, 8, 10, -4, -5, -6),
              f32("m.bias", Shape.of(4), 1, 2, 3, 4)));
    }
  }

  @Test
  void partsThatDoNotFitAreRefused() {
    refuses(f32("m.v.weight", Shape.of(3, 2), 1, 2, 3, 4, 5, 6), "floats [2,in], found F32 [3,2]");
    refuses(f32("m.v.weight", Shape.of(2, 2), 1, 2, 3, 4), "of 3 inputs, found F32 [2,2]");
    refuses(f32("m.q.ALinear.weight", Shape.of(3, 1), 1, 2, 3), "2 rows, found F32 [3,1]");
    refuses(f32("m.q.ALinear.weight", Shape.of(2, 2), 1, 2, 3, 4), "[out,1]");
    refuses(f32("m.q.BLinear.weight", Shape.of(1, 3, 1), 1, 2, 3), "[1,3,1]");
  }

  private void refuses(TestTensor replacement, String message) {
    List<TestTensor> tensors = new ArrayList<>(TENSORS);
    tensors.replaceAll(tensor -> tensor.name().equals(replacement.name()) ? replacement : tensor);
    assertThatThrownBy(() -> expand(PARTS.formatted(""), tensors))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(message);
  }

  @Test
  void kernelsThatDoNotFitAreRefused() {
    String config = "{\"low_rank_modules\": {\"c\": {\"rank\": 1%s}}}";
    TestTensor a = f32("c.ALinear.weight", Shape.of(2, 1, 1, 1), 1, 10);
    TestTensor b = f32("c.BLinear.weight", Shape.of(1, 2, 1, 2), 1, 2, 3, 4);
    TestTensor flat = f32("c.ALinear.weight", Shape.of(2, 1), 1, 10);
    TestTensor wide = f32("c.ALinear.weight", Shape.of(2, 1, 2, 1), 1, 10, 1, 10);
    for (TestTensor other : List.of(flat, wide)) {
      assertThatThrownBy(() -> expand(config.formatted(""), List.of(other, b)))
          .isInstanceOf(CorruptException.class)
          .hasMessageContaining(other.shape().toString());
    }
    assertThatThrownBy(() -> expand(config.formatted(", \"transposed\": true"), List.of(a, b)))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("transposed");
  }
}
