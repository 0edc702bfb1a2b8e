package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A model two of whose matrices are changed, through every command that reads checkpoints. */
class ChangedModulesJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");
  private static final int RANK = 5;
  private static final int WIDTH = 192;
  private static final int INNER = 768;
  private static final List<String> CHANGED =
      List.of("transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_fc");

  @TempDir private static Path folder = Path.of("");
  private static Path model = Path.of("");
  private static Path dense = Path.of("");

  @BeforeAll
  static void write() throws IOException {
    model = folder.resolve("model");
    dense = folder.resolve("dense");
    SequencedMap<String, LowRank.Entry> modules = new LinkedHashMap<>();
    List<TestTensor> tensors = new ArrayList<>();
    Basis basis = new Basis(3);
    tensors.add(TestTensors.random(basis.name(), DType.F32, 1, INNER, RANK));
    for (String module : CHANGED) {
      modules.put(module, new LowRank.Module(RANK, true, new Sharing.OfA(basis), true));
      tensors.add(
          TestTensors.random(LowRank.factorB(module), DType.BF16, module.hashCode(), RANK, WIDTH));
    }
    try (Checkpoint checkpoint = Checkpoint.open(DRAMA)) {
      checkpoint.tensors().stream()
          .map(
              view ->
                  new TestTensor(
                      view.name(),
                      view.dtype(),
                      view.shape(),
                      view.segment().toArray(ValueLayout.JAVA_BYTE)))
          .forEach(tensors::add);
      String config =
          new LowRank(modules).describe(checkpoint.config().orElseThrow(), "plain").toJson();
      TestCheckpoints.folder(model, config, tensors);
    }
    Files.copy(DRAMA.resolve("tokenizer.json"), model.resolve("tokenizer.json"));
    smelt("expand", model, "-o", dense, "--dtype", "f32").done();
  }

  private static double loss(Path path) {
    return smelt("eval", path, "--data", HELD, "--seq-len", 32, "--samples", 4, "--json")
        .json()
        .path("loss")
        .doubleValue();
  }

  @Test
  void runsAsTheDenseModelDoes() {
    assertThat(loss(model)).isCloseTo(loss(dense), within(1e-6));
    assertThat(loss(model)).isNotCloseTo(loss(DRAMA), within(1e-4));
    try (Checkpoint expanded = Checkpoint.open(dense);
        Checkpoint original = Checkpoint.open(DRAMA)) {
      assertThat(expanded.infos().stream().map(info -> info.name()))
          .containsExactlyInAnyOrderElementsOf(
              original.infos().stream().map(info -> info.name()).toList());
    }
    smelt("verify", dense, "--against", model).done();
  }

  @Test
  void diffCountsTheMatrixToo() {
    JsonNode report = smelt("diff", DRAMA, model, "--json").json();
    long bytes = 0;
    int changed = 0;
    for (JsonNode tensor : report.path("tensors")) {
      bytes += tensor.path("bytesAfter").longValue();
      if (CHANGED.contains(tensor.path("name").asString().replaceFirst("\\.weight$", ""))) {
        changed++;
        assertThat(tensor.path("rank").intValue()).isEqualTo(RANK);
        assertThat(tensor.path("bytesAfter").longValue())
            .isEqualTo(INNER * WIDTH * 2 + RANK * WIDTH * 2 + RANK * INNER * 4 / 2);
      } else {
        assertThat(tensor.path("status").asString()).isEqualTo("same");
      }
    }
    assertThat(changed).isEqualTo(2);
    JsonNode shared = report.path("shared").path(0);
    assertThat(shared.path("bytesAfter").longValue())
        .isEqualTo(2 * (INNER * WIDTH * 2 + RANK * WIDTH * 2) + RANK * INNER * 4);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      assertThat(bytes).isEqualTo(checkpoint.bytes());
    }
    for (JsonNode tensor : smelt("diff", dense, model, "--json").json().path("tensors")) {
      assertThat(tensor.path("relativeError").doubleValue()).isLessThan(1e-6);
    }
  }

  @Test
  void inspectSaysThatTheyAreChanges() {
    JsonNode report = smelt("inspect", model, "--json").json();
    assertThat(report.path("factorizedModules").intValue()).isEqualTo(2);
    assertThat(report.path("deltaModules").intValue()).isEqualTo(2);
    assertThat(smelt("inspect", model).done().out())
        .contains("2 modules, 2 of them a change of a stored matrix");
    assertThat(smelt("inspect", DRAMA, "--json").json().path("deltaModules").intValue()).isZero();
  }

  @Test
  void commandsForDenseModelsRefuseIt() {
    Path out = folder.resolve("out");
    smelt("factorize", model, "--keep", 0.5, "-o", out)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("delta", model, "--base", DRAMA, "--rank", 4, "-o", out)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("merge", model, DRAMA, "--method", "linear", "-o", out)
        .refused(ExitCode.BAD_INPUT, "cannot merge factors", "smelt expand");
  }
}
