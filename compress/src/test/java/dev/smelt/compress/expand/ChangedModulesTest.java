package dev.smelt.compress.expand;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
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

/** Modules that are a change of a matrix, put together by hand. */
class ChangedModulesTest {

  /** m and t, stored transposed, are changes with A = [1, 2]ᵀ, n is A·B. c is a convolution. */
  private static final String LIST =
      """
      {"low_rank_modules": {
         "c": {"rank": 1, "delta": true},
         "m": {"rank": 1, "A": "smelt.basis.0", "delta": true},
         "n": {"rank": 1, "A": "smelt.basis.0"},
         "t": {"rank": 1, "A": "smelt.basis.0", "delta": true, "transposed": true}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          f32("smelt.basis.0", Shape.of(2, 1), 1, 2),
          bf16("c.weight", Shape.of(2, 1, 1, 2), 10, 20, 30, 40),
          f32("c.ALinear.weight", Shape.of(2, 1, 1, 1), 1, -1),
          f32("c.BLinear.weight", Shape.of(1, 1, 1, 2), 3, 4),
          bf16("m.weight", Shape.of(2, 2), 10, 20, 30, 40),
          f32("m.bias", Shape.of(2), 7, 8),
          f32("m.BLinear.weight", Shape.of(1, 2), 3, 4),
          f32("n.BLinear.weight", Shape.of(1, 1), 5),
          f32("n.ALinear.bias", Shape.of(2), 5, 6),
          f32("t.weight", Shape.of(3, 2), 10, 20, 30, 40, 50, 60),
          f32("t.BLinear.weight", Shape.of(1, 3), 3, 4, 5),
          f32("other", Shape.of(1), 9));

  @TempDir private Path folder;

  private Path model(List<TestTensor> tensors) {
    return TestCheckpoints.folder(folder.resolve("in"), LIST, tensors);
  }

  @Test
  void theSumTakesThePlaceOfTheMatrix() {
    Path target = Expansion.of(model(TENSORS), folder.resolve("expanded"), Optional.empty());
    try (Checkpoint dense = Checkpoint.open(target)) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              bf16("c.weight", Shape.of(2, 1, 1, 2), 13, 24, 27, 36),
              bf16("m.weight", Shape.of(2, 2), 13, 24, 36, 48),
              f32("m.bias", Shape.of(2), 7, 8),
              f32("n.weight", Shape.of(2, 1), 5, 10),
              f32("n.bias", Shape.of(2), 5, 6),
              f32("t.weight", Shape.of(3, 2), 13, 26, 34, 48, 55, 70),
              f32("other", Shape.of(1), 9)));
      assertThat(dense.config().orElseThrow().toJson().strip()).isEqualTo("{}");
    }
  }

  /** Of the basis's 8 bytes the three modules have 3, 3 and 2. */
  @Test
  void bytesOfTheMatrixAreTheModules() {
    try (Checkpoint checkpoint = Checkpoint.open(model(TENSORS))) {
      assertThat(new Expander(checkpoint, Optional.empty()).records())
          .containsExactlyInAnyOrder(
              TensorRecord.of("c.weight", TensorRecord.EXPANDED, 8 + 8 + 8, 8),
              TensorRecord.of("m.weight", TensorRecord.EXPANDED, 8 + 8 + 3, 8),
              TensorRecord.kept("m.bias", null, 8, 8),
              TensorRecord.of("n.weight", TensorRecord.EXPANDED, 4 + 3, 8),
              TensorRecord.kept("n.bias", null, 8, 8),
              TensorRecord.of("t.weight", TensorRecord.EXPANDED, 24 + 12 + 2, 24),
              TensorRecord.kept("other", null, 4, 4));
      List<DenseTensor> tensors = DenseModel.of(checkpoint).tensors();
      assertThat(tensors.stream().mapToLong(DenseTensor::storedBytes).sum())
          .isEqualTo(checkpoint.bytes());
      assertThat(tensors.stream().mapToLong(DenseTensor::storedElements).sum())
          .isEqualTo(checkpoint.parameters());
    }
  }

  /** A tensor of the dense model stands where the checkpoint has its matrix. */
  @Test
  void theOrderIsThatOfTheMatrices() {
    try (Checkpoint checkpoint = Checkpoint.open(model(TENSORS))) {
      List<String> stored = checkpoint.infos().stream().map(info -> info.name()).toList();
      List<String> dense =
          DenseModel.of(checkpoint).tensors().stream().map(tensor -> tensor.info().name()).toList();
      assertThat(dense.stream().filter(stored::contains).toList())
          .isEqualTo(stored.stream().filter(dense::contains).toList())
          .contains("c.weight", "m.weight", "m.bias", "t.weight");
    }
  }

  @Test
  void aBiasOfTheFactorsIsRefused() {
    List<TestTensor> tensors = new ArrayList<>(TENSORS);
    tensors.add(f32("m.ALinear.bias", Shape.of(2), 1, 2));
    try (Checkpoint checkpoint = Checkpoint.open(model(tensors))) {
      assertThatThrownBy(() -> new Expander(checkpoint, Optional.empty()))
          .isInstanceOf(CorruptException.class)
          .hasMessageContaining("|m.ALinear.bias]");
    }
  }
}
