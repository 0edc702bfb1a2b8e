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
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.safetensors.SafetensorsFile;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackedOutputTest {

  private static final long SEED = 77;
  private static final ModelConfig CONFIG = ModelConfig.parse("{\"model_type\": \"gpt2\"}");

  @TempDir Path temp;

  @Test
  void everyTypeComesBackBitForBit() {
    List<TestTensor> tensors = everyType(0.6, 40, 56);
    Path file = write(temp.resolve("a.safetensors"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.isPacked()).isTrue();
      assertThat(checkpoint.kind()).isEqualTo("safetensors file, packed");
      assertThat(checkpoint.metadata()).isEmpty();
      long dense = tensors.stream().mapToLong(tensor -> tensor.bytes().length).sum();
      assertThat(checkpoint.bytes()).isEqualTo(dense);
    }
  }

  @Test
  void filesHoldWhatTheFormatSays() {
    List<TestTensor> tensors = everyType(0.9, 64, 33);
    Path file = write(temp.resolve("a.safetensors"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    List<TestTensor> expected =
        tensors.stream().flatMap(tensor -> PlainPacking.parts(tensor).stream()).toList();
    try (Arena arena = Arena.ofConfined();
        Checkpoint checkpoint = Checkpoint.open(file)) {
      SafetensorsFile opened = SafetensorsFile.open(file, arena);
      assertThat(opened.metadata())
          .containsOnly(Map.entry("format", "smelt_packed"), Map.entry("smelt_packed", "1"));
      Map<String, TensorView> found = new HashMap<>();
      opened.tensors().forEach(part -> found.put(part.name(), part));
      assertThat(found).hasSameSizeAs(expected);
      for (TestTensor part : expected) {
        assertThat(found.get(part.name()))
            .as(part.name())
            .returns(part.info(), TensorView::info)
            .returns(-1L, one -> one.segment().mismatch(MemorySegment.ofArray(part.bytes())));
      }
      assertThat(checkpoint.fileBytes())
          .isEqualTo(expected.stream().mapToLong(part -> part.bytes().length).sum());
    }
  }

  @Test
  void partsThatSpanManyWritesFitTogether() {
    List<TestTensor> tensors = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(SEED);
    for (DType dtype : List.of(DType.F4, DType.F6_E2M3, DType.I8, DType.BF16, DType.F32)) {
      tensors.add(PlainPacking.sparse("large." + dtype, dtype, 0.7, random, 3, 70_004));
    }
    Path file = write(temp.resolve("a.safetensors"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.tensors()).allMatch(TensorView::isPacked);
    }
  }

  @Test
  void aTensorIsPackedOnlyWhereTheFileGetsSmaller() {
    float[] values = new float[1024];
    TestTensor zeros = TestTensors.f32("zeros", Shape.of(4, 256), values);
    Arrays.fill(values, 1);
    List<TestTensor> tensors =
        List.of(
            zeros,
            TestTensors.f32("full", Shape.of(1024), values),
            TestTensors.f32("small", Shape.of(8), new float[8]),
            TestTensors.f32("none", Shape.of(0, 3)),
            TestTensors.f32("scalar", Shape.of(), 0));
    Path file = write(temp.resolve("a.safetensors"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.tensors().stream().filter(TensorView::isPacked).map(TensorView::name))
          .containsExactly("zeros");
      assertThat(checkpoint.tensor("zeros").fileBytes()).isEqualTo(1024 / 8 + 2 * 8);
    }
  }

  @Test
  void whatHasNoZerosIsWrittenAsItWouldBeAnyhow() throws IOException {
    List<TestTensor> tensors = TestTensors.everyType(3, 8, 8);
    List<TensorView> views = views(tensors);
    PackedOutput output = PackedOutput.of(views, 1);
    Content plain = content(tensors);
    assertThat(output.packedTensors()).isZero();
    assertThat(output.bytes()).isEqualTo(plain.bytes());
    assertThat(output.content(plain)).isSameAs(plain);
    Path folder = write(temp.resolve("m"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    assertEntries(folder, "config.json", "model.safetensors");
    assertThat(Files.readString(folder.resolve("config.json"))).doesNotContain("smelt");
  }

  @Test
  void foldersHaveNamesThatOtherLoadersDoNotLookFor() throws IOException {
    List<TestTensor> tensors = everyType(0.8, 32, 32);
    Path folder = write(temp.resolve("m"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    assertEntries(folder, "config.json", "packed.safetensors");
    assertThat(Files.readString(folder.resolve("config.json")))
        .contains("\"smelt_packed\": {")
        .contains("smelt expand");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.config()).contains(CONFIG);
      assertThat(checkpoint.kind()).isEqualTo("Hugging Face folder, packed");
    }
    assertThatThrownBy(
            () ->
                write(
                    temp.resolve("model.safetensors"), tensors, OutputOptions.DEFAULT_SHARD_BYTES))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("model.safetensors", "packed.safetensors");
  }

  @Test
  void partsOfOneTensorMayLieInSeveralShards() {
    List<TestTensor> tensors = everyType(0.8, 32, 32);
    Path folder = write(temp.resolve("m"), tensors, 300);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.weightFiles()).hasSizeGreaterThan(tensors.size());
      assertThat(String.valueOf(checkpoint.weightFiles().getFirst().getFileName()))
          .startsWith("packed-00001-of-");
    }
  }

  @Test
  void theContentHashIsThatOfThePlainTensors() {
    List<TestTensor> tensors = everyType(0.8, 32, 32);
    Path packed = write(temp.resolve("packed"), tensors, OutputOptions.DEFAULT_SHARD_BYTES);
    Path plain = TestCheckpoints.folder(temp.resolve("plain"), "{}", tensors);
    try (Checkpoint one = Checkpoint.open(packed);
        Checkpoint other = Checkpoint.open(plain)) {
      assertThat(ContentHash.of(one, 2)).isEqualTo(ContentHash.of(other, 1));
      assertThat(one.bytes()).isEqualTo(other.bytes());
      assertThat(one.fileBytes()).isLessThan(other.fileBytes());
    }
  }

  @Test
  void namesOfPartsAreRefused() {
    TestTensor tensor = TestTensors.f32("w.smelt_bits", Shape.of(1), 1);
    assertThatThrownBy(() -> PackedOutput.of(views(List.of(tensor)), 1))
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("w.smelt_bits", ".smelt_bits");
  }

  private static List<TestTensor> everyType(double zeros, long rows, long columns) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<TestTensor> tensors = new ArrayList<>();
    for (DType dtype : DType.values()) {
      long width = dtype.bits() < 8 ? (columns + 7) / 8 * 8 : columns;
      tensors.add(PlainPacking.sparse("every." + dtype, dtype, zeros, random, rows, width));
    }
    return tensors;
  }

  private static List<TensorView> views(List<TestTensor> tensors) {
    return tensors.stream()
        .map(one -> new TensorView(one.info(), MemorySegment.ofArray(one.bytes())))
        .toList();
  }

  private static Content content(List<TestTensor> tensors) {
    List<TensorInfo> infos = tensors.stream().map(TestTensor::info).toList();
    return new Content(infos, Map.of(), Optional.of(CONFIG), List.of());
  }

  private static Path write(Path target, List<TestTensor> tensors, long shardBytes) {
    PackedOutput output = PackedOutput.of(views(tensors), 2);
    Content content = output.content(content(tensors));
    assertThat(content.bytes()).isEqualTo(output.bytes());
    try (CheckpointWriter writer =
        CheckpointWriter.create(new OutputOptions(target, false, shardBytes), content)) {
      output.write(writer::slot, 2, Progress.NONE);
      writer.commitWithoutManifest();
    }
    return target;
  }
}
