package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A model some of whose tensors lie in a folder beside it, through commands. */
class SharedFilesJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");
  private static final String OWN = "model-00001-of-00001.safetensors";
  private static final String SHARED = "../shared/weights.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  @TempDir private static Path folder = Path.of("");
  private static Path model = Path.of("");

  /** Matrices are shared. The shared file has one more tensor, of a size that would show. */
  @BeforeAll
  static void write() throws IOException {
    model = folder.resolve("zoo").resolve("drama");
    List<TestTensor> own = new ArrayList<>();
    List<TestTensor> shared = new ArrayList<>();
    Map<String, String> index = new TreeMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(DRAMA)) {
      for (TensorView view : checkpoint.tensors()) {
        boolean matrix = view.shape().isMatrix();
        (matrix ? shared : own).add(TestTensors.of(view));
        index.put(view.name(), matrix ? SHARED : OWN);
      }
    }
    shared.add(shared.getFirst().renamed("of.another.model"));
    TestCheckpoints.file(model.resolve(OWN), own);
    TestCheckpoints.file(model.resolve(SHARED), shared);
    TestCheckpoints.write(model.resolve(INDEX), TestCheckpoints.index(index));
    for (String side : List.of("config.json", "tokenizer.json")) {
      Files.copy(DRAMA.resolve(side), model.resolve(side));
    }
  }

  @Test
  void itIsTheModelThatItWas() {
    JsonNode report =
        smelt("diff", DRAMA, model, "--data", HELD, "--seq-len", 32, "--samples", 2, "--json")
            .json();
    assertThat(report.path("after").path("bytes")).isEqualTo(report.path("before").path("bytes"));
    assertThat(report.path("after").path("loss")).isEqualTo(report.path("before").path("loss"));
    assertThat(report.path("tensors")).isNotEmpty();
    for (JsonNode tensor : report.path("tensors")) {
      assertThat(tensor.path("status").asString()).isEqualTo("same");
    }
    assertThat(smelt("inspect", model, "--json").json().path("kind").asString())
        .isEqualTo("Hugging Face folder, 1 shard and 1 shared file");
  }

  @Test
  void whatIsMadeOfItIsWhole() {
    Path merged = folder.resolve("merged");
    Path expected = folder.resolve("expected");
    smelt("merge", model, SCRIPTURE, "--method", "linear", "-o", merged).done();
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", expected).done();
    assertThat(merged.resolve("model.safetensors"))
        .hasSameBinaryContentAs(expected.resolve("model.safetensors"));
    assertThat(merged.resolve(INDEX)).doesNotExist();
    smelt("verify", merged, "--against", model, "--against", SCRIPTURE).done();
    smelt("verify", merged, "--against", DRAMA, "--against", SCRIPTURE).done();
  }

  @Test
  void sharedFilesOfTheManifestAreVerified() throws IOException {
    Path merged = folder.resolve("zoo").resolve("merged");
    Path shared = folder.resolve("zoo").resolve("others").resolve("merged.safetensors");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", merged).done();
    Map<String, String> index = new TreeMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(merged)) {
      checkpoint.infos().forEach(t -> index.put(t.name(), "../others/merged.safetensors"));
    }
    Files.createDirectory(folder.resolve("zoo").resolve("others"));
    Files.move(merged.resolve("model.safetensors"), shared);
    TestCheckpoints.write(merged.resolve(INDEX), TestCheckpoints.index(index));
    Path manifest = merged.resolve("smelt.json");
    String before = Files.readString(manifest);
    String listed = before.replace("\"model.safetensors\"", "\"../others/merged.safetensors\"");
    assertThat(listed).isNotEqualTo(before);
    Files.writeString(manifest, listed);
    assertThat(smelt("verify", merged, "--json").json().path("notes").toString())
        .isEqualTo("[\"" + INDEX + " is not in the manifest\"]");
    byte[] weights = Files.readAllBytes(shared);
    weights[weights.length - 1] ^= 1;
    Files.write(shared, weights);
    assertThat(smelt("verify", merged).code()).isEqualTo(ExitCode.GATE_FAILED);
  }

  @Test
  void sharedFilesBesideTheManifestAreNoted() throws IOException {
    Path manifest = model.resolve("smelt.json");
    Path other = folder.resolve("noted");
    smelt("merge", DRAMA, DRAMA, "--method", "linear", "-o", other).done();
    // The same tensors, and no word of any file.
    String text = Files.readString(other.resolve("smelt.json"));
    Files.writeString(manifest, text.replaceFirst("(?s)\"files\" ?: \\[.*\\]", "\"files\": []"));
    assertThat(smelt("verify", model, "--json").json().path("notes").toString())
        .contains(OWN + " is not in the manifest", SHARED + " is not in the manifest");
    Files.delete(manifest);
  }

  @Test
  void aModelTakenAwayFromItsNeighboursIsRefused() throws IOException {
    Path alone = Files.createDirectories(folder.resolve("alone").resolve("drama"));
    for (String file : List.of(INDEX, OWN, "config.json", "tokenizer.json")) {
      Files.copy(model.resolve(file), alone.resolve(file));
    }
    smelt("eval", alone, "--data", HELD)
        .refused(
            ExitCode.BAD_INPUT,
            "shared weights missing",
            "shared/weights.safetensors",
            "keep the folder shared/ beside this one");
  }
}
