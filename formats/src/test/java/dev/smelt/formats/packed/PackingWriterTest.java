package dev.smelt.formats.packed;

import static dev.smelt.formats.testing.CheckpointAssertions.assertEntries;
import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.CheckpointWriter.Content;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tensors that are packed once all of them are written. */
class PackingWriterTest {

  private static final ModelConfig CONFIG = ModelConfig.parse("{\"model_type\": \"gpt2\"}");
  private static final TestTensor FULL = TestTensors.random("full", DType.F32, 3, 5, 7);
  private static final TestTensor SPARSE =
      PlainPacking.sparse("sparse", DType.BF16, 0.7, new SplittableRandom(4), 64, 65);

  @TempDir Path temp;

  private static Content content(List<TestTensor> tensors) {
    return new Content(
        tensors.stream().map(TestTensor::info).toList(),
        Map.of("key", "value"),
        Optional.of(CONFIG),
        List.of());
  }

  private static CheckpointWriter create(Path target, TestTensor... tensors) {
    return CheckpointWriter.createPacked(
        OutputOptions.to(target), content(List.of(tensors)), 2, Progress.NONE);
  }

  private static Manifest manifest(long bytes) {
    return Manifest.of(
        "1",
        "prune",
        Map.of(),
        List.of(),
        new Manifest.Totals(bytes, bytes, 1, 1),
        List.of(),
        List.of("first"));
  }

  private Manifest write(Path target, TestTensor... tensors) {
    try (CheckpointWriter writer = create(target, tensors)) {
      for (TestTensor tensor : tensors) {
        writer.slot(tensor.name()).write(0, MemorySegment.ofArray(tensor.bytes()));
      }
      return writer.commit(manifest(9000));
    }
  }

  @Test
  void theOutputIsThatOfFinishedTensors() throws IOException {
    Path folder = temp.resolve("a");
    Manifest manifest = write(folder, SPARSE, FULL);
    assertEntries(folder, "config.json", "packed.safetensors", "smelt.json");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, List.of(SPARSE, FULL));
      assertThat(checkpoint.metadata()).containsOnly(Map.entry("key", "value"));
      assertThat(manifest.totals().packedBytes()).isEqualTo(checkpoint.fileBytes());
      assertThat(manifest.totals().bytesAfter()).isEqualTo(9000);
    }
    assertThat(Manifest.read(folder.resolve("smelt.json"))).isEqualTo(manifest);

    PackedOutput finished =
        PackedOutput.of(
            List.of(SPARSE, FULL).stream()
                .map(one -> new TensorView(one.info(), MemorySegment.ofArray(one.bytes())))
                .toList(),
            1);
    Path other = temp.resolve("b");
    Content plain = content(List.of(SPARSE, FULL));
    try (CheckpointWriter writer =
        CheckpointWriter.create(OutputOptions.to(other), finished.content(plain))) {
      finished.write(writer::slot, 1, Progress.NONE);
      writer.commitWithoutManifest();
    }
    for (String file : List.of("packed.safetensors", "config.json")) {
      assertThat(Files.mismatch(folder.resolve(file), other.resolve(file))).isEqualTo(-1);
    }
  }

  @Test
  void aFileOnItsOwn() {
    Path file = temp.resolve("a.safetensors");
    write(file, SPARSE);
    assertEntries(temp, "a.safetensors", "a.smelt.json");
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, List.of(SPARSE));
      assertThat(checkpoint.isPacked()).isTrue();
    }
  }

  @Test
  void whereNothingIsPackedTheOutputIsPlainAndSaysSo() {
    Path folder = temp.resolve("a");
    Manifest manifest = write(folder, FULL);
    assertEntries(folder, "config.json", "model.safetensors", "smelt.json");
    assertThat(manifest.totals().packedBytes()).isNull();
    assertThat(manifest.notes()).containsExactly("first", "no tensor would take less room packed");
  }

  @Test
  void withoutCommitNothingIsLeft() {
    try (CheckpointWriter writer = create(temp.resolve("a"), SPARSE, FULL)) {
      writer.slot("full").write(0, MemorySegment.ofArray(FULL.bytes()));
      assertThatThrownBy(() -> writer.commit(manifest(1)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("sparse");
    }
    assertEntries(temp);
  }

  @Test
  void namesAreCheckedBeforeTheWork() {
    assertThatThrownBy(() -> create(temp.resolve("model.safetensors"), SPARSE))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("packed.safetensors");
    TestTensor part = TestTensors.f32("w.smelt_shape", Shape.of(1), 1);
    assertThatThrownBy(() -> create(temp.resolve("a"), part))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("w.smelt_shape");
    assertEntries(temp);
  }
}
