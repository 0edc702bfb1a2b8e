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

/** Modules that share a factor, put together by hand. */
class SharedBasesTest {

  /** m, n and t share A = [1, 2]ᵀ; u and v share B = [1, 0, -1]. */
  private static final String LIST =
      """
      {"low_rank_modules": {
         "m": {"rank": 1, "A": "smelt.basis.0"},
         "n": {"rank": 1, "A": "smelt.basis.0"},
         "t": {"rank": 1, "A": "smelt.basis.0", "transposed": true},
         "u": {"rank": 1, "B": "smelt.basis.1"},
         "v": {"rank": 1, "B": "smelt.basis.1"}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          f32("smelt.basis.0", Shape.of(2, 1), 1, 2),
          bf16("smelt.basis.1", Shape.of(1, 3), 1, 0, -1),
          f32("m.BLinear.weight", Shape.of(1, 2), 3, 4),
          f32("m.ALinear.bias", Shape.of(2), 7, 8),
          f32("n.BLinear.weight", Shape.of(1, 1), 5),
          f32("t.BLinear.weight", Shape.of(1, 2), 3, 4),
          bf16("u.ALinear.weight", Shape.of(2, 1), 2, 3),
          bf16("v.ALinear.weight", Shape.of(1, 1), 4),
          f32("other", Shape.of(1), 9));

  @TempDir private Path folder;

  private Path model(List<TestTensor> tensors) {
    return TestCheckpoints.folder(folder.resolve("in"), LIST, tensors);
  }

  @Test
  void productsTakeThePlaceOfBases() {
    Path target = Expansion.of(model(TENSORS), folder.resolve("expanded"), Optional.empty());
    try (Checkpoint dense = Checkpoint.open(target)) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("m.weight", Shape.of(2, 2), 3, 4, 6, 8),
              f32("m.bias", Shape.of(2), 7, 8),
              f32("n.weight", Shape.of(2, 1), 5, 10),
              f32("t.weight", Shape.of(2, 2), 3, 6, 4, 8),
              bf16("u.weight", Shape.of(2, 3), 2, 0, -2, 3, 0, -3),
              bf16("v.weight", Shape.of(1, 3), 4, 0, -4),
              f32("other", Shape.of(1), 9)));
      assertThat(dense.config().orElseThrow().toJson().strip()).isEqualTo("{}");
    }
  }

  /** Of 8 bytes three modules have 2⅔: 3, 3 and 2. Of 6 bytes two have 3. */
  @Test
  void bytesOfABasisAreSharedOut() {
    try (Checkpoint checkpoint = Checkpoint.open(model(TENSORS))) {
      assertThat(new Expander(checkpoint, Optional.empty()).records())
          .containsExactlyInAnyOrder(
              TensorRecord.of("m.weight", TensorRecord.EXPANDED, 8 + 3, 16),
              TensorRecord.kept("m.bias", null, 8, 8),
              TensorRecord.of("n.weight", TensorRecord.EXPANDED, 4 + 3, 8),
              TensorRecord.of("t.weight", TensorRecord.EXPANDED, 8 + 2, 16),
              TensorRecord.of("u.weight", TensorRecord.EXPANDED, 4 + 3, 12),
              TensorRecord.of("v.weight", TensorRecord.EXPANDED, 2 + 3, 6),
              TensorRecord.kept("other", null, 4, 4));
      List<DenseTensor> tensors = DenseModel.of(checkpoint).tensors();
      assertThat(tensors.stream().mapToLong(DenseTensor::storedBytes).sum())
          .isEqualTo(checkpoint.bytes());
      assertThat(tensors.stream().mapToLong(DenseTensor::storedElements).sum())
          .isEqualTo(checkpoint.parameters());
      assertThat(tensors).allMatch(tensor -> tensor.rank().orElse(1) == 1);
    }
  }

  @Test
  void aBasisThatNoModuleUsesIsRefused() {
    List<TestTensor> tensors = new ArrayList<>(TENSORS);
    tensors.add(f32("smelt.basis.2", Shape.of(2, 1), 1, 2));
    try (Checkpoint checkpoint = Checkpoint.open(model(tensors))) {
      assertThatThrownBy(() -> new Expander(checkpoint, Optional.empty()))
          .isInstanceOf(CorruptException.class)
          .hasMessageContaining("|smelt.basis.2]");
    }
  }
}
