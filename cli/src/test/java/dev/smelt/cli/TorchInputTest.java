package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static dev.smelt.formats.testing.CheckpointAssertions.assertSameTensors;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A folder with pytorch_model.bin does what the same model in safetensors does. */
class TorchInputTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");

  @TempDir private Path folder = Path.of("");
  private Path model = Path.of("");

  @BeforeEach
  void writeModel() throws IOException {
    model = folder.resolve("model");
    List<TestTensor> tensors;
    try (Checkpoint checkpoint = Checkpoint.open(DRAMA)) {
      tensors = checkpoint.tensors().stream().map(TestTensors::of).toList();
    }
    TestTorch file = TestTorch.of(tensors);
    byte[] pickle = file.wrapped("state_dict", new PickleAssembler().text("epoch").whole(3));
    TestCheckpoints.write(model.resolve("pytorch_model.bin"), file.zip(pickle));
    for (String name : List.of("config.json", "tokenizer.json")) {
      if (Files.exists(DRAMA.resolve(name))) {
        Files.copy(DRAMA.resolve(name), model.resolve(name));
      }
    }
  }

  @Test
  void inspectListsTensorsAndWhatIsLeftOut() {
    JsonNode report = smelt("inspect", model, "--json").json();
    assertThat(report.path("kind").asString()).isEqualTo("Hugging Face folder of PyTorch weights");
    assertThat(report.path("metadata").path("left out: epoch").asString()).isEqualTo("3");
    assertThat(report.path("parameters"))
        .isEqualTo(smelt("inspect", DRAMA, "--json").json().path("parameters"));
  }

  @Test
  void mergeWritesSafetensors() {
    Path out = folder.resolve("merged");
    JsonNode manifest =
        smelt("merge", model, DRAMA, "--method", "linear", "-o", out, "--json").json();
    assertThat(manifest.path("notes").toString()).contains("left out of " + model + ": epoch");
    assertThat(out.resolve("model.safetensors")).exists();
    assertThat(out.resolve("pytorch_model.bin")).doesNotExist();
    assertSameTensors(out, DRAMA);
    smelt("verify", out, "--against", model, "--against", DRAMA).done();
  }

  @Test
  void factorizeWritesSafetensors() {
    Path out = folder.resolve("small");
    Path expected = folder.resolve("expected");
    smelt("factorize", model, "--keep", "0.5", "-o", out).done();
    smelt("factorize", DRAMA, "--keep", "0.5", "-o", expected).done();
    assertSameTensors(out, expected);
  }

  @Test
  void zoosAndAdaptersTellWhatIsLeftOut() {
    String note = "left out of " + model + ": epoch";
    Path scripture = TESTDATA.resolve("gpt2-scripture");
    Path zoo = folder.resolve("zoo");
    JsonNode manifest =
        smelt("cluster", model, scripture, "--max-error", 0.5, "-o", zoo, "--json").json();
    assertThat(manifest.path("notes").valueStream().map(JsonNode::asString)).containsOnlyOnce(note);
    // As base, and as one of the models of which it is the base.
    Path mean = folder.resolve("mean");
    smelt("merge", DRAMA, scripture, "--method", "linear", "-o", mean).done();
    manifest =
        smelt(
                "cluster",
                scripture,
                mean,
                model,
                "--base",
                model,
                "--max-error",
                0.5,
                "-o",
                folder.resolve("changes"),
                "--json")
            .json();
    assertThat(manifest.path("notes").valueStream().map(JsonNode::asString)).containsOnlyOnce(note);
    Path adapter = folder.resolve("adapter");
    manifest =
        smelt("delta", model, "--base", scripture, "--rank", 2, "-o", adapter, "--json").json();
    assertThat(manifest.path("notes").toString()).contains(note);
  }

  @Test
  void aPickleThatCallsIsRefusedInOneLine() {
    byte[] pickle =
        PickleAssembler.start().global("os", "system").ops("(").text("x").ops("tR").stop();
    Path file = TestCheckpoints.write(folder.resolve("evil.pt"), new TestTorch().zip(pickle));
    smelt("inspect", file).refused(ExitCode.BAD_INPUT, "name not allowed", "os.system", "evil.pt@");
  }
}
