package dev.smelt.cli;

import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A model two of whose matrices share a basis, through every command that reads checkpoints. */
class SharedBasesJobTest {

  @TempDir private static Path folder = Path.of("");
  private static Path model = Path.of("");
  private static Path dense = Path.of("");

  @BeforeAll
  static void write() throws IOException {
    model = folder.resolve("model");
    dense = folder.resolve("dense");
    ByHand.write(model, false);
    smelt("expand", model, "-o", dense).done();
  }

  @Test
  void runsAsTheDenseModelDoes() {
    assertThat(ByHand.loss(model)).isCloseTo(ByHand.loss(dense), within(1e-6));
    try (Checkpoint checkpoint = Checkpoint.open(dense)) {
      assertThat(checkpoint.infos().stream().map(info -> info.name()))
          .noneMatch(name -> name.startsWith("smelt."));
      assertThat(checkpoint.tensor(ByHand.MODULES.getFirst() + ".weight").shape())
          .isEqualTo(Shape.of(ByHand.WIDTH, ByHand.INNER));
    }
    smelt("verify", dense, "--against", model).done();
  }

  @Test
  void diffCountsTheBasisOnce() {
    JsonNode report = smelt("diff", ByHand.DRAMA, model, "--json").json();
    long bytes = 0;
    for (JsonNode tensor : report.path("tensors")) {
      bytes += tensor.path("bytesAfter").longValue();
      if (ByHand.MODULES.contains(tensor.path("name").asString().replaceFirst("\\.weight$", ""))) {
        assertThat(tensor.path("rank").intValue()).isEqualTo(ByHand.RANK);
        assertThat(tensor.path("bytesAfter").longValue())
            .isEqualTo(ByHand.RANK * ByHand.WIDTH * 2 + ByHand.RANK * ByHand.INNER * 4 / 2);
      }
    }
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      assertThat(bytes).isEqualTo(checkpoint.bytes());
    }
    for (JsonNode tensor : smelt("diff", dense, model, "--json").json().path("tensors")) {
      assertThat(tensor.path("relativeError").doubleValue()).isLessThan(1e-6);
    }
  }

  @Test
  void inspectShowsItAsAFactor() {
    JsonNode report = smelt("inspect", model, "--json").json();
    assertThat(report.path("factorizedModules").intValue()).isEqualTo(2);
    for (JsonNode tensor : report.path("tensors")) {
      if (tensor.path("name").asString().equals("smelt.basis.3")) {
        assertThat(tensor.path("role").asString()).isEqualTo("factor");
        assertThat(tensor.path("shape").asString()).isEqualTo("[768,5]");
        return;
      }
    }
    assertThat(report).as("no basis among the tensors").isNull();
  }

  @Test
  void commandsForDenseModelsRefuseIt() {
    Path out = folder.resolve("out");
    smelt("factorize", model, "--keep", 0.5, "-o", out)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("delta", model, "--base", ByHand.DRAMA, "--rank", 4, "-o", out)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("inspect", model, "--spectrum")
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint", "smelt expand");
    smelt("merge", model, ByHand.DRAMA, "--method", "linear", "-o", out)
        .refused(ExitCode.BAD_INPUT, "cannot merge factors", "smelt expand");
  }
}
