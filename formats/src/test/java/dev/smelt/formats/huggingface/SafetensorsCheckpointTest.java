package dev.smelt.formats.huggingface;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static dev.smelt.formats.testing.CheckpointAssertions.assertSameTensors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsCheckpointTest {

  private static final String CONFIG = "{\"model_type\": \"gpt2\"}";
  private static final String INDEX = "model.safetensors.index.json";
  private static final String FIRST = "model-00001-of-00002.safetensors";
  private static final String SECOND = "model-00002-of-00002.safetensors";

  private final List<TestTensor> tensors = TestTensors.everyType(1, 3, 8);
  private final List<TestTensor> some = tensors.subList(0, 7);
  private final List<TestTensor> others = tensors.subList(7, tensors.size());

  @TempDir Path temp;

  private Path folder = Path.of("");

  @BeforeEach
  void setFolder() {
    folder = temp.resolve("model");
  }

  @Test
  void readsAFile() {
    Path file = TestCheckpoints.file(temp.resolve("a.safetensors"), tensors);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("safetensors file");
      assertThat(checkpoint.config()).isEmpty();
      assertThat(checkpoint.sideFiles()).isEmpty();
      assertThat(checkpoint.metadata()).containsOnly(Map.entry("format", "pt"));
      assertThat(checkpoint.parameters()).isEqualTo(24L * tensors.size());
      assertThat(checkpoint.find("nothing")).isEmpty();
      assertThatThrownBy(() -> checkpoint.tensor("nothing"))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContainingAll(file.toString(), "'nothing'");
    }
  }

  @Test
  void shardsHoldWhatTheSingleFileHolds() {
    Path single = TestCheckpoints.folder(temp.resolve("single"), CONFIG, tensors);
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    assertSameTensors(folder, single);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("Hugging Face folder, 2 shards");
      assertThat(checkpoint.weightFiles())
          .containsExactly(folder.resolve(FIRST), folder.resolve(SECOND));
    }
  }

  @Test
  void theSingleFileWinsOverAnIndexBesideIt() {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    TestCheckpoints.file(folder.resolve("model.safetensors"), some);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, some);
      assertThat(checkpoint.weightFiles()).containsExactly(folder.resolve("model.safetensors"));
    }
  }

  @Test
  void sideFilesAreEverythingButWeightsConfigAndManifest() throws IOException {
    TestCheckpoints.folder(folder, CONFIG, some);
    List<String> side = List.of(".gitattributes", "merges.txt", "tokenizer.json", "vocab.json");
    List<String> not =
        List.of("pytorch_model.bin", "tf_model.h5", "smelt.json", INDEX, "x.safetensors", "m.gguf");
    side.forEach(name -> TestCheckpoints.write(folder.resolve(name), "x"));
    not.forEach(name -> TestCheckpoints.write(folder.resolve(name), "{}"));
    Files.createDirectory(folder.resolve("onnx"));
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.sideFiles())
          .containsExactlyElementsOf(side.stream().map(folder::resolve).toList());
      assertThat(checkpoint.config()).isPresent();
    }
  }

  @Test
  void aMissingShardIsNamed() throws IOException {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    Files.delete(folder.resolve(SECOND));
    assertRefused(NotFoundException.class, "shard missing", SECOND);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../evil.safetensors",
        "/etc/evil.safetensors",
        "a/b.safetensors",
        "..",
        ".",
        "",
        "x\\\\y",
        "a\\u0000.safetensors",
        "pytorch_model.bin"
      })
  void aShardOutsideTheFolderIsRefused(String name) {
    TestCheckpoints.file(temp.resolve("evil.safetensors"), some);
    TestCheckpoints.write(folder.resolve(INDEX), "{\"weight_map\": {\"w\": \"" + name + "\"}}");
    assertRefused(CorruptException.class, "shard", "|w");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{}",
        "{\"weight_map\": {}}",
        "{\"weight_map\": [\"w\"]}",
        "{\"w",
        "nul"
      })
  void anIndexWithoutWeightsIsRefused(String index) {
    TestCheckpoints.write(folder.resolve(INDEX), index);
    assertRefused(CorruptException.class, INDEX);
  }

  @Test
  void anIndexEntryThatIsNoNameIsRefused() {
    TestCheckpoints.write(folder.resolve(INDEX), "{\"weight_map\": {\"w\": 3}}");
    assertRefused(CorruptException.class, INDEX, "|w", "found 3");
  }

  @Test
  void aTensorThatNoShardHasIsNamed() {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    TestCheckpoints.file(folder.resolve(SECOND), others.subList(1, others.size()));
    assertRefused(CorruptException.class, INDEX, "no shard holds", "|" + others.getFirst().name());
  }

  @Test
  void aTensorThatTheIndexLacksIsNamed() {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others.subList(1, others.size())));
    TestCheckpoints.file(folder.resolve(SECOND), others);
    assertRefused(CorruptException.class, INDEX, "index lacks", "|" + others.getFirst().name());
  }

  @Test
  void aTensorInAnotherShardThanTheIndexSaysIsNamed() {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    TestCheckpoints.file(folder.resolve(FIRST), tensors.subList(0, 6));
    TestCheckpoints.file(folder.resolve(SECOND), tensors.subList(6, tensors.size()));
    assertRefused(
        CorruptException.class,
        "|" + tensors.get(6).name(),
        "expected it in " + FIRST,
        "found it in " + SECOND);
  }

  @Test
  void aTensorInTwoShardsIsNamed() {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    TestCheckpoints.file(folder.resolve(SECOND), tensors.subList(6, tensors.size()));
    assertRefused(CorruptException.class, "two shards", SECOND, "|" + tensors.get(6).name());
  }

  @Test
  void aBrokenShardIsNamed() throws IOException {
    TestCheckpoints.sharded(folder, CONFIG, List.of(some, others));
    byte[] whole = Files.readAllBytes(folder.resolve(SECOND));
    TestCheckpoints.write(folder.resolve(SECOND), Arrays.copyOf(whole, 100));
    assertRefused(TruncatedException.class, SECOND);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "[]", "null", "{\"a\": 1, \"a\": 2}", "{\"a\": NaN}", "{} {}", "{"})
  void aBrokenConfigIsNamed(String config) {
    TestCheckpoints.folder(folder, config, some);
    assertRefused(CorruptException.class, "config");
  }

  @Test
  void whatIsNoCheckpointIsRefused() throws IOException {
    assertRefused(NotFoundException.class, "no such checkpoint");
    Files.createDirectory(folder);
    assertRefused(UnsupportedException.class, "no weights found");
    folder = TestCheckpoints.write(temp.resolve("weights.xyz"), "1");
    assertRefused(UnsupportedException.class, "not a readable checkpoint");
  }

  private void assertRefused(Class<? extends SmeltException> type, String... says) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isExactlyInstanceOf(type)
        .hasMessageContaining(folder.toString())
        .hasMessageContainingAll(says);
  }
}
