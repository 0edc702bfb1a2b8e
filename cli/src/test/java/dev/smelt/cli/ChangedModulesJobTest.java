package dev.smelt.cli;

import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A model two of whose matrices are changed, through every command that reads checkpoints. */
class ChangedModulesJobTest {

  @TempDir private static Path folder = Path.of("");
  private static Path model = Path.of("");
  private static Path dense = Path.of("");

  @BeforeAll
  static void write() throws IOException {
    model = folder.resolve("model");
    dense = folder.resolve("dense");
    ByHand.write(model, true);
    smelt("expand", model, "-o", dense, "--dtype", "f32").done();
  }

  @Test
  void runsAsTheDenseModelDoes() {
    assertThat(ByHand.loss(model)).isCloseTo(ByHand.loss(dense), within(1e-6));
    assertThat(ByHand.loss(model)).isNotCloseTo(ByHand.loss(ByHand.DRAMA), within(1e-4));
    try (Checkpoint expanded = Checkpoint.open(dense);
        Checkpoint original = Checkpoint.open(ByHand.DRAMA)) {
      assertThat(expanded.infos().stream().map(info -> info.name()))
          .containsExactlyInAnyOrderElementsOf(
              original.infos().stream().map(info -> info.name()).toList());
    }
    smelt("verify", dense, "--against", model).done();
  }

  @Test
  void diffCountsTheMatrixToo() {
    JsonNode report = smelt("diff", ByHand.DRAMA, model, "--json").json();
    long bytes = 0;
    int changed = 0;
    for (JsonNode tensor : report.path("tensors")) {
      bytes += tensor.path("bytesAfter").longValue();
      if (ByHand.MODULES.contains(tensor.path("name").asString().replaceFirst("\\.weight$", ""))) {
        changed++;
        assertThat(tensor.path("rank").intValue()).isEqualTo(ByHand.RANK);
        assertThat(tensor.path("bytesAfter").longValue())
            .isEqualTo(
                ByHand.INNER * ByHand.WIDTH * 2
                    + ByHand.RANK * ByHand.WIDTH * 2
                    + ByHand.RANK * ByHand.INNER * 4 / 2);
      } else {
        assertThat(tensor.path("status").asString()).isEqualTo("same");
      }
    }
    assertThat(changed).isEqualTo(2);
    JsonNode shared = report.path("shared").path(0);
    assertThat(shared.path("bytesAfter").longValue())
        .isEqualTo(
            2 * (ByHand.INNER * ByHand.WIDTH * 2 + ByHand.RANK * ByHand.WIDTH * 2)
                + ByHand.RANK * ByHand.INNER * 4);
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
    assertThat(smelt("inspect", ByHand.DRAMA, "--json").json().path("deltaModules").intValue())
        .isZero();
  }

  @Test
  void commandsForDenseModelsRefuseIt() {
    Path out = folder.resolve("out");
    smelt("factorize", model, "--keep", 0.5, "-o", out)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("delta", model, "--base", ByHand.DRAMA, "--rank", 4, "-o", out)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("merge", model, ByHand.DRAMA, "--method", "linear", "-o", out)
        .refused(ExitCode.BAD_INPUT, "cannot merge factors", "smelt expand");
  }
}
