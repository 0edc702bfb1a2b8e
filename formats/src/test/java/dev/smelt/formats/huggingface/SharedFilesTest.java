package dev.smelt.formats.huggingface;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders side by side that have weights in common. */
class SharedFilesTest {

  private static final String INDEX = "model.safetensors.index.json";
  private static final String OWN = "model-00001-of-00001.safetensors";
  private static final String SHARED = "../shared/bases.safetensors";

  private static final TestTensor BOTH = f32("both", Shape.of(2), 1, 2);
  private static final TestTensor ONLY_A = f32("only.a", Shape.of(3), 3, 4, 5);
  private static final TestTensor ONLY_B = f32("only.b", Shape.of(1), 6);

  @TempDir private Path temp;
  private Path a = Path.of("");
  private Path b = Path.of("");

  /** Both have a tensor w of their own. */
  @BeforeEach
  void write() {
    Path zoo = temp.resolve("zoo");
    TestCheckpoints.write(
        zoo.resolve("shared").resolve("bases.safetensors"),
        TestCheckpoints.safetensors(
            List.of(BOTH, ONLY_A, ONLY_B), Map.of("low_rank_modules", "of nobody")));
    a = model(zoo.resolve("a"), own(1), Map.of("both", SHARED, "only.a", SHARED));
    b = model(zoo.resolve("b"), own(2), Map.of("both", SHARED, "only.b", SHARED));
  }

  private static TestTensor own(float value) {
    return f32("w", Shape.of(1), value);
  }

  private static Path model(Path folder, TestTensor own, Map<String, String> shared) {
    TestCheckpoints.write(folder.resolve("config.json"), "{}");
    TestCheckpoints.file(folder.resolve(OWN), List.of(own));
    Map<String, String> index = new TreeMap<>(shared);
    index.put(own.name(), OWN);
    TestCheckpoints.write(folder.resolve(INDEX), TestCheckpoints.index(index));
    return folder;
  }

  private static void reindex(Path folder, Map<String, String> shardOf) {
    TestCheckpoints.write(folder.resolve(INDEX), TestCheckpoints.index(shardOf));
  }

  @Test
  void eachModelHasItsOwnAndWhatItsIndexNames() {
    try (Checkpoint first = Checkpoint.open(a);
        Checkpoint second = Checkpoint.open(b)) {
      assertHolds(first, List.of(own(1), BOTH, ONLY_A));
      assertHolds(second, List.of(own(2), BOTH, ONLY_B));
      assertThat(first.kind()).isEqualTo("Hugging Face folder, 1 shard and 1 shared file");
      assertThat(first.weightFiles()).containsExactly(a.resolve(OWN), a.resolve(SHARED));
      assertThat(first.bytes()).isEqualTo(4 + 8 + 12);
      assertThat(first.parameters()).isEqualTo(6);
      assertThat(first.metadata()).containsOnly(Map.entry("format", "pt"));
      assertThat(first.find("only.b")).isEmpty();
      assertThat(first.tensors().getFirst().name()).isEqualTo("w");
    }
  }

  @Test
  void theContentIsThatOfAFolderInOnePiece() {
    Path whole = TestCheckpoints.folder(temp.resolve("whole"), "{}", List.of(ONLY_A, own(1), BOTH));
    try (Checkpoint parts = Checkpoint.open(a);
        Checkpoint one = Checkpoint.open(whole)) {
      assertThat(ContentHash.of(parts, 1)).isEqualTo(ContentHash.of(one, 1));
    }
  }

  @Test
  void aModelMayHaveNothingToItself() throws IOException {
    Files.delete(a.resolve(OWN));
    TestCheckpoints.file(a.resolve("../more/x.safetensors"), List.of(own(7), ONLY_B));
    reindex(a, Map.of("both", SHARED, "w", "../more/x.safetensors"));
    try (Checkpoint checkpoint = Checkpoint.open(a)) {
      assertHolds(checkpoint, List.of(own(7), BOTH));
      assertThat(checkpoint.kind()).isEqualTo("Hugging Face folder, 2 shared files");
      assertThat(checkpoint.metadata()).isEmpty();
    }
  }

  /** Of two tensors of one name, the index says which. */
  @Test
  void aNeighboursTensorOfTheSameNameIsNotSeen() {
    TestCheckpoints.file(
        a.resolve(SHARED), List.of(BOTH, ONLY_A, ONLY_B, f32("w", Shape.of(2), 8, 9)));
    TestCheckpoints.file(
        a.resolve("../more/x.safetensors"), List.of(f32("both", Shape.of(1), 0), own(3)));
    try (Checkpoint checkpoint = Checkpoint.open(a)) {
      assertHolds(checkpoint, List.of(own(1), BOTH, ONLY_A));
    }
    reindex(
        b,
        Map.of("w", OWN, "both", "../more/x.safetensors", "only.b", "../shared/bases.safetensors"));
    try (Checkpoint checkpoint = Checkpoint.open(b)) {
      assertHolds(checkpoint, List.of(own(2), f32("both", Shape.of(1), 0), ONLY_B));
    }
  }

  @Test
  void aFolderThatIsALinkHasTheNeighboursOfItsTarget() throws IOException {
    Path link = Files.createSymbolicLink(temp.resolve("link"), a);
    try (Checkpoint checkpoint = Checkpoint.open(link)) {
      assertHolds(checkpoint, List.of(own(1), BOTH, ONLY_A));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../../zoo/shared/bases.safetensors",
        "../a/../shared/bases.safetensors",
        "../shared/x/bases.safetensors",
        "../shared/../shared/bases.safetensors",
        "../../bases.safetensors",
        ".././bases.safetensors",
        "..//bases.safetensors",
        "../bases.safetensors",
        "../shared/bases.bin",
        "../shared/",
        "../shared",
        "../",
        "./shared/bases.safetensors",
        "shared/bases.safetensors",
        "/../shared/bases.safetensors",
        "/etc/bases.safetensors",
        "../sha\\\\red/bases.safetensors",
        "..\\\\shared\\\\bases.safetensors",
        "..\\\\shared/bases.safetensors",
        "../shared\\\\bases.safetensors",
        "../sha\\u0000red/bases.safetensors",
        "../shared/ba\\u0000ses.safetensors"
      })
  void otherWaysOutOfTheFolderAreRefused(String name) {
    TestCheckpoints.write(
        a.resolve(INDEX), "{\"weight_map\": {\"both\": \"" + name + "\", \"w\": \"" + OWN + "\"}}");
    assertRefused(
        CorruptException.class, "outside its folder", "|both", "../<folder>/<name>, found");
  }

  @Test
  void theFolderIsNoNeighbourOfItself() {
    reindex(a, Map.of("w", "../a/" + OWN));
    assertRefused(CorruptException.class, "own folder", "found ../a/" + OWN);
  }

  @Test
  void pytorchFoldersShareNothing() {
    TestCheckpoints.write(
        temp.resolve("zoo/c/pytorch_model.bin.index.json"),
        TestCheckpoints.index(Map.of("w", "../shared/x.bin")));
    assertThatThrownBy(() -> Checkpoint.open(temp.resolve("zoo/c")))
        .isExactlyInstanceOf(CorruptException.class)
        .hasMessageContaining("expected a plain file name, found \"../shared/x.bin\"");
  }

  @Test
  void aMissingNeighbourIsNamed() throws IOException {
    Path alone = Files.createDirectories(temp.resolve("elsewhere")).resolve("a");
    Files.move(a, alone);
    a = alone;
    assertRefused(
        NotFoundException.class,
        "shared weights missing",
        "shared/bases.safetensors",
        INDEX,
        "keep the folder shared/ beside this one");
  }

  @Test
  void aTensorMissingInTheNeighbourIsNamed() {
    TestCheckpoints.file(a.resolve(SHARED), List.of(BOTH, ONLY_B));
    assertRefused(CorruptException.class, "no shard holds", "|only.a", "expected it in " + SHARED);
  }

  @Test
  void ownShardsMustStillAgreeWithTheIndex() {
    TestCheckpoints.file(a.resolve(OWN), List.of(own(1), f32("extra", Shape.of(1), 1)));
    assertRefused(CorruptException.class, "index lacks", "|extra");
    TestCheckpoints.file(a.resolve(OWN), List.of(own(1), BOTH));
    assertRefused(CorruptException.class, "two shards", "|both");
  }

  @Test
  void aBrokenNeighbourIsNamed() throws IOException {
    byte[] whole = Files.readAllBytes(a.resolve(SHARED));
    TestCheckpoints.write(a.resolve(SHARED), Arrays.copyOf(whole, whole.length - 1));
    assertRefused(TruncatedException.class, "bases.safetensors");
  }

  @Test
  void noOutputReplacesWhatAnInputShares() {
    TestCheckpoints.folder(temp.resolve("zoo/shared"), "{}", List.of(BOTH));
    OutputOptions options =
        new OutputOptions(temp.resolve("zoo/shared"), true, OutputOptions.DEFAULT_SHARD_BYTES);
    assertThatThrownBy(() -> options.requireWritable(List.of(a)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output would replace an input");
    OutputOptions other =
        new OutputOptions(temp.resolve("zoo/c"), true, OutputOptions.DEFAULT_SHARD_BYTES);
    other.requireWritable(List.of(a));
    assertThat(temp.resolve("zoo/c")).doesNotExist();
  }

  private void assertRefused(Class<? extends SmeltException> type, String... says) {
    assertThatThrownBy(() -> Checkpoint.open(a))
        .isExactlyInstanceOf(type)
        .hasMessageContaining(a.toString())
        .hasMessageContainingAll(says);
  }
}
