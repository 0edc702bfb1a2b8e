package dev.smelt.compress.expand;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Matrices in parts along their inputs and parts that share bases, put together by hand. */
class ExpandPanelsTest {

  /** A = [1, 2]ᵀ of two panels of m, one of t and all of n; B = [1, -1] of the rows of r. */
  private static final String LIST =
      """
      {"low_rank_modules": {
         "m": {"parts": [
            {"name": "p0", "columns": [0, 1, 2, 2], "rank": 1, "A": "smelt.basis.0"},
            {"name": "p1", "columns": [1, 1, 1, 1]},
            {"name": "p2", "columns": [3, 1, 1, 1], "rank": 1, "A": "smelt.basis.0"}]},
         "n": {"rank": 1, "A": "smelt.basis.0"},
         "r": {"parts": [
            {"name": "p0", "rows": [1, 1, 1, 1], "rank": 1, "B": "smelt.basis.1"},
            {"name": "p1", "rows": [0, 1, 1, 1], "rank": 1, "B": "smelt.basis.1"}]},
         "t": {"parts": [
            {"name": "p0", "columns": [0, 2, 2, 1], "rank": 1},
            {"name": "p1", "columns": [2, 1, 1, 1], "rank": 1, "A": "smelt.basis.0"}],
            "transposed": true}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          f32("smelt.basis.0", Shape.of(2, 1), 1, 2),
          bf16("smelt.basis.1", Shape.of(1, 2), 1, -1),
          bf16("m.p0.BLinear.weight", Shape.of(1, 2), 3, 4),
          bf16("m.p1.weight", Shape.of(2, 1), 7, 8),
          bf16("m.p2.BLinear.weight", Shape.of(1, 1), 5),
          f32("m.bias", Shape.of(2), 1, 2),
          bf16("n.BLinear.weight", Shape.of(1, 1), 6),
          bf16("r.p0.ALinear.weight", Shape.of(1, 1), 2),
          bf16("r.p1.ALinear.weight", Shape.of(1, 1), 3),
          bf16("t.p0.ALinear.weight", Shape.of(2, 1), 1, 10),
          bf16("t.p0.BLinear.weight", Shape.of(1, 2), 2, 3),
          bf16("t.p1.BLinear.weight", Shape.of(1, 1), 4));

  @TempDir private Path folder;

  private Path model() {
    return TestCheckpoints.folder(folder.resolve("in"), LIST, TENSORS);
  }

  @Test
  void panelsBecomeTheWhole() {
    Path target = Expansion.of(model(), folder.resolve("expanded"), Optional.empty());
    try (Checkpoint dense = Checkpoint.open(target)) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("m.weight", Shape.of(2, 4), 3, 7, 4, 5, 6, 8, 8, 10),
              f32("m.bias", Shape.of(2), 1, 2),
              f32("n.weight", Shape.of(2, 1), 6, 12),
              bf16("r.weight", Shape.of(2, 2), 3, -3, 2, -2),
              f32("t.weight", Shape.of(3, 2), 2, 20, 3, 30, 4, 8)));
      assertThat(dense.config().orElseThrow().toJson().strip()).isEqualTo("{}");
    }
  }

  /** Of the 8 bytes of A four parts and modules have 2 each; of the 4 of B two have 2 each. */
  @Test
  void bytesOfABasisAreSharedOutAmongParts() {
    try (Checkpoint checkpoint = Checkpoint.open(model())) {
      assertThat(new Expander(checkpoint, Optional.empty()).records())
          .containsExactlyInAnyOrder(
              TensorRecord.of("m.weight", TensorRecord.EXPANDED, 4 + 4 + 2 + 2 * 2, 32),
              TensorRecord.kept("m.bias", null, 8, 8),
              TensorRecord.of("n.weight", TensorRecord.EXPANDED, 2 + 2, 8),
              TensorRecord.of("r.weight", TensorRecord.EXPANDED, 2 + 2 + 2 * 2, 8),
              TensorRecord.of("t.weight", TensorRecord.EXPANDED, 4 + 4 + 2 + 2, 24));
      List<DenseTensor> tensors = DenseModel.of(checkpoint).tensors();
      assertThat(tensors.stream().mapToLong(DenseTensor::storedBytes).sum())
          .isEqualTo(checkpoint.bytes());
      assertThat(tensors.stream().mapToLong(DenseTensor::storedElements).sum())
          .isEqualTo(checkpoint.parameters());
    }
  }
}
