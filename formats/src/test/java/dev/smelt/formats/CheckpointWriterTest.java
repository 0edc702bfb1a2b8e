package dev.smelt.formats;

import static dev.smelt.formats.testing.CheckpointAssertions.assertEntries;
import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static dev.smelt.formats.testing.CheckpointAssertions.assertSameTensors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CheckpointWriter.Content;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.WrittenFile;
import dev.smelt.formats.testing.Sha256;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointWriterTest {

  private final List<TestTensor> tensors = TestTensors.everyType(3, 5, 8);

  @TempDir Path temp;

  private Path target = Path.of("");

  @BeforeEach
  void setTarget() {
    target = temp.resolve("out");
  }

  @Test
  void everyTypeComesBackFromAFolder() {
    Path vocab = TestCheckpoints.write(temp.resolve("in/vocab.txt"), "[UNK]\n");
    Manifest manifest =
        write(OutputOptions.to(target), WriterFixture.content(tensors, List.of(vocab)));
    assertEntries(target, "model.safetensors", "config.json", "vocab.txt", "smelt.json");
    assertEntries(temp, "in", "out");
    try (Checkpoint checkpoint = Checkpoint.open(target)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.config()).contains(WriterFixture.CONFIG);
      assertThat(checkpoint.sideFiles()).containsExactly(target.resolve("vocab.txt"));
      assertThat(checkpoint.metadata()).containsEntry("format", "pt").hasSize(1);
    }
    assertThat(target.resolve("vocab.txt")).hasSameBinaryContentAs(vocab);
    assertHashes(manifest, target, "model.safetensors", "config.json", "vocab.txt");
    assertThat(Manifest.read(target.resolve("smelt.json"))).isEqualTo(manifest);
  }

  @Test
  void textsAreWrittenIntoFoldersInPlaceOfSideFilesOfTheirName() {
    Path vocab = TestCheckpoints.write(temp.resolve("in/vocab.txt"), "[UNK]\n");
    Path old = TestCheckpoints.write(temp.resolve("in/b.py"), "old\n");
    Content plain = WriterFixture.content(tensors, List.of(old, vocab));
    SortedMap<String, String> texts = new TreeMap<>(Map.of("b.py", "né\n", "a.md", ""));
    Content content =
        new Content(plain.tensors(), plain.metadata(), plain.config(), plain.sideFiles(), texts);
    assertThat(content.sideFiles()).containsExactly(vocab);
    Manifest manifest = write(OutputOptions.to(target), content);
    assertEntries(
        target, "model.safetensors", "config.json", "a.md", "b.py", "vocab.txt", "smelt.json");
    assertThat(target.resolve("b.py")).hasBinaryContent("né\n".getBytes(StandardCharsets.UTF_8));
    assertThat(target.resolve("a.md")).isEmptyFile();
    assertHashes(manifest, target, "model.safetensors", "config.json", "a.md", "b.py", "vocab.txt");
    Path file = temp.resolve("x.safetensors");
    write(OutputOptions.to(file), content);
    assertEntries(temp, "in", "out", "x.safetensors", "x.smelt.json");
  }

  @Test
  void textsHavePlainNames() {
    for (String name : List.of("", "a/b", "../a", "/a", "a/")) {
      SortedMap<String, String> texts = new TreeMap<>(Map.of(name, "x"));
      assertThatThrownBy(() -> new Content(List.of(), Map.of(), Optional.empty(), List.of(), texts))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("'" + name + "'");
    }
  }

  @Test
  void everyTypeComesBackFromAFileWithItsManifestBeside() {
    Path file = temp.resolve("x.safetensors");
    Manifest manifest = write(OutputOptions.to(file), WriterFixture.content(tensors));
    assertEntries(temp, "x.safetensors", "x.smelt.json");
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
    }
    assertHashes(manifest, temp, "x.safetensors");
    assertThat(Manifest.read(temp.resolve("x.smelt.json"))).isEqualTo(manifest);
  }

  @Test
  void withoutManifest() {
    for (Path path : List.of(target, temp.resolve("x.safetensors"))) {
      try (CheckpointWriter writer =
          CheckpointWriter.create(OutputOptions.to(path), WriterFixture.content(tensors))) {
        WriterFixture.fill(writer, tensors);
        writer.commitWithoutManifest();
      }
      try (Checkpoint checkpoint = Checkpoint.open(path)) {
        assertHolds(checkpoint, tensors);
      }
    }
    assertEntries(target, "model.safetensors", "config.json");
    assertEntries(temp, "out", "x.safetensors");
  }

  /** Tensors of 32 bytes in shards of at most 100, and one of 200 in a shard of its own. */
  @Test
  void shardsBySize() throws IOException {
    List<TestTensor> sized =
        List.of(
            TestTensors.random("a", DType.F32, 1, 8),
            TestTensors.random("b", DType.F32, 2, 8),
            TestTensors.random("c", DType.F32, 3, 8),
            TestTensors.random("large", DType.F32, 4, 50),
            TestTensors.random("d", DType.F32, 5, 8),
            TestTensors.random("e", DType.F32, 6, 8),
            TestTensors.random("f", DType.F32, 7, 8));
    Manifest manifest =
        write(new OutputOptions(target, false, 100), WriterFixture.content(sized), sized);
    String[] shards = {
      "model-00001-of-00003.safetensors",
      "model-00002-of-00003.safetensors",
      "model-00003-of-00003.safetensors"
    };
    String index = "model.safetensors.index.json";
    assertEntries(target, shards[0], shards[1], shards[2], index, "config.json", "smelt.json");
    assertHashes(manifest, target, shards[0], shards[1], shards[2], index, "config.json");
    assertThat(Json.parse(Files.readAllBytes(target.resolve(index)), "index"))
        .isEqualTo(
            Json.parse(
                Files.readAllBytes(
                    TestCheckpoints.write(
                        temp.resolve("expected"),
                        """
                        {"metadata": {"total_parameters": 98, "total_size": 392}, "weight_map": {
                          "a": "model-00001-of-00003.safetensors",
                          "b": "model-00001-of-00003.safetensors",
                          "c": "model-00001-of-00003.safetensors",
                          "d": "model-00003-of-00003.safetensors",
                          "e": "model-00003-of-00003.safetensors",
                          "f": "model-00003-of-00003.safetensors",
                          "large": "model-00002-of-00003.safetensors"}}
                        """)),
                "expected"));
    Path single = TestCheckpoints.folder(temp.resolve("single"), "{}", sized);
    assertSameTensors(target, single);
  }

  @Test
  void noTensors() {
    write(OutputOptions.to(target), WriterFixture.content(List.of()), List.of());
    try (Checkpoint checkpoint = Checkpoint.open(target)) {
      assertThat(checkpoint.tensors()).isEmpty();
    }
  }

  @Test
  void anExistingOutputStaysUnlessItMayBeReplaced() {
    TestCheckpoints.folder(target, "{}", tensors.subList(0, 3));
    TestCheckpoints.write(target.resolve("stale.txt"), "1");
    Content content = WriterFixture.content(tensors);
    assertThatThrownBy(() -> CheckpointWriter.create(OutputOptions.to(target), content))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll(target.toString(), "--overwrite");
    assertEntries(target, "config.json", "model.safetensors", "stale.txt");
    write(new OutputOptions(target, true, 1 << 20), content);
    assertEntries(temp, "out");
    assertEntries(target, "config.json", "model.safetensors", "smelt.json");
  }

  @Test
  void anExistingFileStaysUnlessItMayBeReplaced() {
    Path file = TestCheckpoints.file(temp.resolve("x.safetensors"), tensors.subList(0, 3));
    String before = Sha256.of(file);
    Content content = WriterFixture.content(tensors);
    assertThatThrownBy(() -> CheckpointWriter.create(OutputOptions.to(file), content))
        .isInstanceOf(UsageException.class);
    assertThat(Sha256.of(file)).isEqualTo(before);
    write(new OutputOptions(file, true, 1 << 20), content);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
    }
    assertEntries(temp, "x.safetensors", "x.smelt.json");
  }

  @Test
  void aFolderThatHoldsNoCheckpointIsNeverReplaced() {
    TestCheckpoints.write(target.resolve("thesis.tex"), "1");
    TestCheckpoints.write(temp.resolve("d.safetensors/thesis.tex"), "1");
    for (Path path : List.of(target, temp.resolve("d.safetensors"))) {
      OutputOptions options = new OutputOptions(path, true, 1 << 20);
      assertThatThrownBy(() -> CheckpointWriter.create(options, WriterFixture.content(tensors)))
          .isInstanceOf(UsageException.class)
          .hasMessageContainingAll("holds no checkpoint", path.toString());
      assertEntries(path, "thesis.tex");
    }
  }

  private Manifest write(OutputOptions options, Content content) {
    return write(options, content, tensors);
  }

  private static Manifest write(OutputOptions options, Content content, List<TestTensor> filled) {
    try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
      WriterFixture.fill(writer, filled);
      return writer.commit(WriterFixture.manifest());
    }
  }

  private static void assertHashes(Manifest manifest, Path folder, String... names) {
    assertThat(manifest.files()).extracting(WrittenFile::name).containsExactly(names);
    for (WrittenFile file : manifest.files()) {
      assertThat(file.sha256()).isEqualTo(Sha256.of(folder.resolve(file.name())));
      assertThat(folder.resolve(file.name())).hasSize(file.bytes());
    }
  }
}
