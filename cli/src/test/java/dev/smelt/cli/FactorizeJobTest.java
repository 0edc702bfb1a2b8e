package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Factorising from the command line by Gram matrices, within sizes and losses, and improved. */
class FactorizeJobTest {

  private static final Path LLAMA = TESTDATA.resolve("llama-drama");
  private static final Path GPT2 = TESTDATA.resolve("gpt2-drama");
  private static final Path TRAIN = TESTDATA.resolve("text/drama.train.txt");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");

  @TempDir private static Path shared = Path.of("");
  @TempDir private Path folder = Path.of("");
  private static Path grams = Path.of("");

  @BeforeAll
  static void measure() {
    grams = shared.resolve("grams.safetensors");
    smelt(
            "fisher",
            LLAMA,
            "--data",
            TRAIN,
            "--seq-len",
            64,
            "--samples",
            24,
            "--stats",
            "diag,input-gram,grad-gram",
            "-o",
            grams)
        .done();
  }

  private Run factorize(String out, Object... options) {
    List<Object> words = new ArrayList<>(List.of("factorize", LLAMA));
    words.addAll(List.of("-o", folder.resolve(out), "--overwrite"));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  private Run measured(String out, Object... options) {
    List<Object> words = new ArrayList<>(List.of(options));
    words.addAll(List.of("--stats", grams, "--data", HELD, "--seq-len", 64, "--samples", 12));
    words.add("--json");
    return factorize(out, words.toArray());
  }

  private static double increase(JsonNode manifest, int stage) {
    JsonNode measured = manifest.path("measured");
    return measured.get(stage).path("loss").doubleValue()
        - measured.get(0).path("loss").doubleValue();
  }

  @Test
  void theBestMetricOfTheStatisticsLosesLessThanPlain() {
    JsonNode best = measured("best", "--keep-total", 0.5).json();
    assertThat(best.path("parameters").path("metric").asString()).isEqualTo("kronecker");
    assertThat(best.path("parameters").path("damping").doubleValue()).isEqualTo(1e-4);
    JsonNode plain =
        factorize(
                "plain", "--keep", 0.5, "--data", HELD, "--seq-len", 64, "--samples", 12, "--json")
            .json();
    assertThat(increase(best, 1)).isPositive().isLessThan(0.7 * increase(plain, 1));
    // The file, run by itself, is what was measured.
    JsonNode evaluated =
        smelt(
                "eval",
                folder.resolve("best"),
                "--data",
                HELD,
                "--seq-len",
                64,
                "--samples",
                12,
                "--json")
            .json();
    assertThat(evaluated.path("loss").doubleValue())
        .isCloseTo(best.path("measured").get(1).path("loss").doubleValue(), within(1e-6));
    smelt("verify", folder.resolve("best"), "--against", LLAMA, "--stats", grams).done();
  }

  @Test
  void aBudgetIsKeptAndUsed() throws IOException {
    long budget = 4_000_000;
    JsonNode manifest = factorize("small", "--stats", grams, "--budget", "4MB", "--json").json();
    long bytes = manifest.path("totals").path("bytesAfter").longValue();
    // One more direction of the largest matrix takes 4 · (192 + 512) bytes.
    assertThat(bytes).isBetween(budget - 4 * (192 + 512), budget);
    assertThat(Files.size(folder.resolve("small/model.safetensors"))).isGreaterThan(bytes);
    factorize("none", "--stats", grams, "--budget", "100KB")
        .refused(ExitCode.USAGE, "--budget 100000 is too small");
  }

  @Test
  void theLossAllowedIsUsedAndNotExceeded() {
    Path spectra = folder.resolve("spectra.safetensors");
    JsonNode manifest = measured("within", "--max-loss-increase", 0.1, "--spectra", spectra).json();
    assertThat(increase(manifest, 1)).isBetween(0.05, 0.1);
    assertThat(manifest.path("notes").toString()).contains("tried --keep-total 0.5");
    Run nothing = measured("dense", "--max-loss-increase", 0, "--spectra", spectra);
    if (nothing.code() == ExitCode.GATE_FAILED) {
      assertThat(nothing.err()).contains("no factors within the loss");
    } else {
      assertThat(increase(nothing.json(), 1)).isLessThanOrEqualTo(0);
    }
  }

  @Test
  void refiningAndTuningWinBackLoss() {
    JsonNode manifest =
        measured(
                "refined",
                "--keep",
                0.4,
                "--train",
                TRAIN,
                "--train-samples",
                64,
                "--refine",
                1,
                "--tune",
                10)
            .json();
    assertThat(manifest.path("measured")).hasSize(4);
    assertThat(increase(manifest, 2)).isLessThan(increase(manifest, 1));
    assertThat(increase(manifest, 3)).isLessThan(increase(manifest, 1));
    smelt("verify", folder.resolve("refined"), "--against", LLAMA, "--stats", grams).done();
  }

  /** Under the Gram matrices, factors of another metric come closer to the layer's outputs. */
  @Test
  void refiningWithoutDataUsesTheStatistics() {
    JsonNode cut = measured("cut", "--keep", 0.4, "--metric", "fisher").json();
    JsonNode refined = measured("again", "--keep", 0.4, "--metric", "fisher", "--refine", 2).json();
    assertThat(increase(refined, 1)).isCloseTo(increase(cut, 1), within(1e-6));
    assertThat(increase(refined, 2)).isLessThan(0.8 * increase(cut, 1));
  }

  @Test
  void partsAreVerifiedAndExpanded() {
    Path out = folder.resolve("parts");
    smelt("factorize", GPT2, "--keep-total", 0.5, "--split-qkv", "--dtype", "f32", "-o", out)
        .done();
    smelt("verify", out, "--against", GPT2).done();
    Path dense = folder.resolve("parts-dense");
    smelt("expand", out, "-o", dense).done();
    JsonNode[] both = new JsonNode[2];
    Path[] models = {out, dense};
    for (int i = 0; i < 2; i++) {
      both[i] =
          smelt("eval", models[i], "--data", HELD, "--seq-len", 64, "--samples", 8, "--json")
              .json();
    }
    assertThat(both[1].path("loss").doubleValue())
        .isCloseTo(both[0].path("loss").doubleValue(), within(1e-4));
  }

  @Test
  void aDryRunListsTheWorkAndWritesNothing() {
    Run run = factorize("planned", "--keep", 0.5, "--dry-run").done();
    assertThat(run.out())
        .contains("model.layers.0.mlp.down_proj", "largest rank", "nothing was written");
    assertThat(folder.resolve("planned")).doesNotExist();
  }

  @Test
  void dataThatDoNotSuitAreRefusedBeforeTheWork() throws IOException {
    Path labelled = Files.writeString(folder.resolve("labelled.tsv"), "text\t1\n");
    Path spectra = folder.resolve("early.safetensors");
    factorize("no", "--keep", 0.5, "--spectra", spectra, "--data", labelled)
        .refused(ExitCode.USAGE, ".tsv holds labelled texts");
    factorize("no", "--keep", 0.5, "--spectra", spectra, "--tune", 5, "--train", labelled)
        .refused(ExitCode.USAGE, ".tsv holds labelled texts");
    assertThat(spectra).doesNotExist();
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    factorize("x", "--keep", 0.5, "--damping", 0.1)
        .refused(ExitCode.USAGE, "--damping has no effect with --metric plain");
    factorize("x", "--keep", 0.5, "--metric", "kronecker")
        .refused(ExitCode.USAGE, "--metric kronecker needs statistics");
    factorize("x", "--keep", 0.5, "--metric", "plain", "--stats", grams)
        .refused(ExitCode.USAGE, "--stats has no effect with --metric plain");
    factorize("x", "--max-loss-increase", 0.1).refused(ExitCode.USAGE, "--max-loss-increase needs");
    factorize("x", "--keep", 0.5, "--tune", 5).refused(ExitCode.USAGE, "--tune needs data");
    factorize("x", "--keep", 0.5, "--lr", 0.1)
        .refused(ExitCode.USAGE, "--lr has no effect without --tune");
    factorize("x", "--keep", 0.5, "--train", TRAIN)
        .refused(ExitCode.USAGE, "--train has no effect without --refine or --tune");
    factorize("x", "--keep", 0.5, "--refine", 2, "--train", TRAIN)
        .refused(ExitCode.USAGE, "a second walk would find the same again");
    factorize("x", "--keep", 0.5, "--refine", 1)
        .refused(ExitCode.USAGE, "--refine needs data, or statistics with Gram matrices");
    factorize("x", "--max-error", 0.5, "--refine", 1, "--train", TRAIN)
        .refused(ExitCode.USAGE, "--max-error promises");
    factorize("x", "--keep-total", 0.5, "--allow-larger")
        .refused(ExitCode.USAGE, "--allow-larger has no effect");
    factorize("x", "--keep", 0.5, "--rank-multiple", 0)
        .refused(ExitCode.USAGE, "--rank-multiple 0 is out of range");
    factorize("x", "--keep-total", 0.001, "--stats", grams)
        .refused(ExitCode.USAGE, "--keep-total 0.001 is too small");
    factorize("x", "--keep", 0.5, "--spectra", grams)
        .refused(ExitCode.BAD_INPUT, "not a file of spectra");
    assertThat(folder.resolve("x")).doesNotExist();
  }
}
