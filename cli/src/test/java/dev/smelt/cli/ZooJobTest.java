package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Several models that share bases, from the command line. */
class ZooJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");

  @TempDir private static Path made = Path.of("");

  /** Half way between the two others: as a change of one it is half of the other's change. */
  private static Path between = Path.of("");

  @TempDir private Path folder = Path.of("");

  @BeforeAll
  static void makeTheThirdModel() {
    between = made.resolve("between");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", between, "--dtype", "f32").done();
  }

  private Run zoo(String out, Object... words) {
    List<Object> all = new ArrayList<>(List.of("cluster"));
    all.addAll(List.of(words));
    all.addAll(List.of("-o", folder.resolve(out), "--json"));
    return smelt(all.toArray());
  }

  private static void fisher(Path model, int samples, String kinds, Path out) {
    List<Object> words = new ArrayList<>(List.of("fisher", model, "--data", HELD, "--seq-len", 32));
    words.addAll(List.of("--samples", samples, "--stats", kinds, "-o", out));
    smelt(words.toArray()).done();
  }

  private static double relativeError(Path before, Path after, String name) {
    try (Checkpoint one = Checkpoint.open(before);
        Checkpoint other = Checkpoint.open(after)) {
      double[] w = one.tensor(name).toDoubles();
      double[] found = other.tensor(name).toDoubles();
      double lost = 0;
      double total = 0;
      for (int i = 0; i < w.length; i++) {
        lost += (w[i] - found[i]) * (w[i] - found[i]);
        total += w[i] * w[i];
      }
      return Math.sqrt(lost / total);
    }
  }

  private static long weights(Path folder) throws IOException {
    long bytes = 0;
    try (var files = Files.walk(folder)) {
      for (Path file : files.filter(one -> one.toString().endsWith(".safetensors")).toList()) {
        try (Checkpoint opened = Checkpoint.open(file)) {
          bytes += opened.bytes();
        }
      }
    }
    return bytes;
  }

  @Test
  void everyModelIsOneOnItsOwn() throws IOException {
    JsonNode manifest =
        zoo(
                "zoo",
                DRAMA,
                SCRIPTURE,
                "--max-error",
                0.4,
                "--data",
                HELD,
                "--seq-len",
                64,
                "--samples",
                8)
            .json();
    assertThat(manifest.path("clusters").size()).isPositive();
    Path zoo = folder.resolve("zoo");
    assertThat(manifest.path("totals").path("bytesAfter").longValue()).isEqualTo(weights(zoo));
    long shared = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      shared += tensor.path("bytesAfter").longValue();
    }
    assertThat(shared).isEqualTo(weights(zoo));
    assertThat(manifest.path("measured").size()).isEqualTo(4);
    for (JsonNode measured : manifest.path("measured")) {
      if (measured.path("stage").asString().equals("clustered")) {
        Path model = zoo.resolve(measured.path("model").asString());
        double loss =
            smelt("eval", model, "--data", HELD, "--seq-len", 64, "--samples", 8, "--json")
                .json()
                .path("loss")
                .doubleValue();
        assertThat(loss).isCloseTo(measured.path("loss").doubleValue(), within(1e-5));
      }
    }
    Path dense = folder.resolve("dense");
    smelt("expand", zoo.resolve("gpt2-scripture"), "-o", dense, "--dtype", "f64").done();
    int seen = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      String name = tensor.path("name").asString();
      if (tensor.has("rank") && name.startsWith("gpt2-scripture/")) {
        double found = relativeError(SCRIPTURE, dense, name.substring(name.indexOf('/') + 1));
        assertThat(tensor.path("relativeError").doubleValue()).isCloseTo(found, within(1e-9));
        seen++;
      }
    }
    assertThat(seen).isEqualTo(16);
    JsonNode diff = smelt("diff", SCRIPTURE, zoo.resolve("gpt2-scripture"), "--json").json();
    assertThat(diff.path("shared").size()).isEqualTo(manifest.path("clusters").size());
    assertThat(diff.path("notes").toString()).contains("../shared/model.safetensors");
    smelt("verify", zoo, "--against", DRAMA, "--against", SCRIPTURE).done();
  }

  @Test
  void changesOfOneDirectionShareAllOfIt() {
    JsonNode manifest =
        zoo(
                "zoo",
                SCRIPTURE,
                DRAMA,
                between,
                "--base",
                SCRIPTURE,
                "--name",
                "base",
                "--name",
                "drama",
                "--name",
                "half",
                "--max-error",
                0.3,
                "--dtype",
                "f32")
            .json();
    assertThat(manifest.path("clusters").size()).isEqualTo(16);
    for (JsonNode cluster : manifest.path("clusters")) {
      assertThat(cluster.path("members").valueStream().map(JsonNode::asString))
          .hasSize(2)
          .anyMatch(member -> member.startsWith("drama/"))
          .anyMatch(member -> member.startsWith("half/"));
      assertThat(cluster.path("relativeError").doubleValue()).isLessThanOrEqualTo(0.3);
    }
    Path zoo = folder.resolve("zoo");
    // What the base is lies once for all, so its own folder has no weights.
    try (Checkpoint base = Checkpoint.open(zoo.resolve("base"));
        Checkpoint original = Checkpoint.open(SCRIPTURE)) {
      for (TensorView tensor : original.tensors()) {
        assertThat(base.tensor(tensor.name()).toDoubles()).isEqualTo(tensor.toDoubles());
      }
      assertThat(zoo.resolve("base/model-00001-of-00001.safetensors")).doesNotExist();
    }
    Path dense = folder.resolve("dense");
    smelt("expand", zoo.resolve("half"), "-o", dense, "--dtype", "f64").done();
    for (JsonNode tensor : manifest.path("tensors")) {
      String name = tensor.path("name").asString();
      if (name.startsWith("half/") && tensor.has("rank")) {
        double found = relativeError(between, dense, name.substring("half/".length()));
        assertThat(tensor.path("relativeError").doubleValue()).isCloseTo(found, within(1e-7));
        assertThat(tensor.path("deltaError").doubleValue()).isGreaterThan(found);
      }
      if (name.startsWith("base/h")) {
        assertThat(tensor.path("action").asString()).isEqualTo("unchanged");
      }
    }
    smelt("verify", zoo, "--against", SCRIPTURE, "--against", DRAMA, "--against", between).done();
  }

  @Test
  void anEqualModelCostsNothing() {
    Path out = folder.resolve("zoo");
    JsonNode manifest =
        zoo(
                "zoo",
                DRAMA,
                SCRIPTURE,
                DRAMA,
                "--name",
                "a",
                "--name",
                "b",
                "--name",
                "c",
                "--max-error",
                0.4)
            .json();
    JsonNode pair = zoo("pair", DRAMA, SCRIPTURE, "--max-error", 0.4).json();
    assertThat(manifest.path("totals").path("bytesAfter"))
        .isEqualTo(pair.path("totals").path("bytesAfter"));
    assertThat(manifest.path("clusters").get(0).path("copies").get(0).asString()).startsWith("c/");
    assertThat(manifest.path("models").get(2).path("bytesOwn").longValue()).isZero();
    smelt("verify", out, "--against", DRAMA, "--against", SCRIPTURE, "--against", DRAMA).done();
  }

  /** With a copy of one of the models, whose panels are that one's. */
  @Test
  void panelsOfSeveralModelsShare() {
    Path statistics = folder.resolve("a.safetensors");
    fisher(DRAMA, 4, "diag,input-gram,grad-gram", statistics);
    Path out = folder.resolve("zoo");
    for (String metric : List.of("fisher", "kronecker")) {
      JsonNode manifest =
          zoo(
                  "zoo",
                  DRAMA,
                  SCRIPTURE,
                  DRAMA,
                  "--name",
                  "a",
                  "--name",
                  "b",
                  "--name",
                  "c",
                  "--panel",
                  100,
                  "--max-error",
                  0.3,
                  "--overwrite",
                  "--metric",
                  metric,
                  "--stats",
                  statistics,
                  "--any-model")
              .json();
      assertThat(manifest.path("clusters").toString()).containsPattern("\\.p1\"");
      assertThat(manifest.path("models").get(2).path("bytesOwn").longValue()).isZero();
      JsonNode verified =
          smelt(
                  "verify",
                  out,
                  "--against",
                  DRAMA,
                  "--against",
                  SCRIPTURE,
                  "--against",
                  DRAMA,
                  "--stats",
                  statistics,
                  "--json")
              .json();
      assertThat(verified.path("checks").toString()).contains("weighted cluster error");
    }
    zoo("y", DRAMA, SCRIPTURE, "--base", SCRIPTURE, "--panel", 100, "--max-error", 0.3)
        .refused(ExitCode.USAGE, "cannot be cut into panels");
  }

  @Test
  void aChangedSharedFileIsFound() throws IOException {
    zoo("zoo", DRAMA, SCRIPTURE, "--max-error", 0.4).done();
    Path out = folder.resolve("zoo");
    Path shared = out.resolve("shared/model.safetensors");
    byte[] bytes = Files.readAllBytes(shared);
    bytes[bytes.length / 2] ^= 0x40;
    Files.write(shared, bytes);
    assertThat(smelt("verify", out).code()).isEqualTo(ExitCode.GATE_FAILED);
    // Swapped models do not pass for each other.
    zoo("other", DRAMA, SCRIPTURE, "--max-error", 0.4).done();
    assertThat(
            smelt("verify", folder.resolve("other"), "--against", SCRIPTURE, "--against", DRAMA)
                .code())
        .isEqualTo(ExitCode.GATE_FAILED);
    smelt("verify", folder.resolve("other"), "--against", DRAMA)
        .refused(ExitCode.USAGE, "2 models were clustered, --against names 1");
    smelt("verify", folder.resolve("other/gpt2-drama"))
        .refused(ExitCode.BAD_INPUT, "give the folder above");
    smelt("eval", folder.resolve("other"), "--data", HELD)
        .refused(ExitCode.BAD_INPUT, "several models, not one");
  }

  @Test
  void promisesInANormFromStatisticsHold() {
    Path a = folder.resolve("a.safetensors");
    Path b = folder.resolve("b.safetensors");
    fisher(DRAMA, 8, "rows,cols,input-gram,grad-gram", a);
    fisher(SCRIPTURE, 8, "rows,cols,input-gram,grad-gram", b);
    for (String metric : List.of("fisher", "activation", "kronecker")) {
      JsonNode manifest =
          zoo(
                  metric,
                  DRAMA,
                  SCRIPTURE,
                  "--max-error",
                  0.2,
                  "--metric",
                  metric,
                  "--stats",
                  a,
                  "--stats",
                  b)
              .json();
      assertThat(manifest.path("clusters").size()).isPositive();
      for (JsonNode cluster : manifest.path("clusters")) {
        assertThat(cluster.path("weightedRelativeError").doubleValue()).isBetween(0.01, 0.2);
      }
      JsonNode verified =
          smelt(
                  "verify",
                  folder.resolve(metric),
                  "--against",
                  DRAMA,
                  "--against",
                  SCRIPTURE,
                  "--stats",
                  a,
                  "--stats",
                  b,
                  "--json")
              .json();
      assertThat(verified.path("notes").isEmpty()).isTrue();
      assertThat(verified.path("checks").toString()).contains("weighted cluster error");
    }
    zoo("x", DRAMA, SCRIPTURE, "--max-error", 0.2, "--stats", b, "--stats", a)
        .refused(ExitCode.BAD_INPUT, "another model");
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    zoo("x", DRAMA, DRAMA, "--max-error", 0.2).refused(ExitCode.USAGE, "two models named");
    zoo("x", DRAMA, SCRIPTURE, "--max-error", 0.2, "--name", "a")
        .refused(ExitCode.USAGE, "1 names for 2 models");
    zoo("x", DRAMA, SCRIPTURE, "--max-error", 0.2, "--name", "a", "--name", "shared")
        .refused(ExitCode.USAGE, "'shared' cannot be the name of a model's folder");
    zoo("x", DRAMA, "--max-error", 0.2, "--name", "a").refused(ExitCode.USAGE, "with one model");
    zoo("x.safetensors", DRAMA, SCRIPTURE, "--max-error", 0.2)
        .refused(ExitCode.USAGE, "do not go into one file");
    zoo("x", DRAMA, SCRIPTURE, "--base", SCRIPTURE, "--max-error", 0.2)
        .refused(ExitCode.USAGE, "are in one group");
    assertThat(folder.resolve("x")).doesNotExist();
  }
}
