package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Statistics from the command line: kinds, precision, memory, kills. */
class StatisticsJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path DRAMA_TEXT = TESTDATA.resolve("text/drama.train.txt");
  private static final Path REVIEWS = TESTDATA.resolve("text/reviews.dev.tsv");
  private static final long SECONDS_TO_SAVE = 60;

  @TempDir private Path folder = Path.of("");

  private Run fisher(Path file, Object... options) {
    List<Object> words =
        new ArrayList<>(
            List.of("fisher", DRAMA, "--data", DRAMA_TEXT, "--seq-len", 32, "-o", file));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  @Test
  void keepsEveryStatisticAskedFor() {
    Path file = folder.resolve("f.safetensors");
    JsonNode report =
        fisher(
                file,
                "--samples",
                12,
                "--stats",
                "rows,cols,input-gram,grad-gram",
                "--rank1",
                "--json")
            .json();
    assertThat(report.path("statistics").toString())
        .isEqualTo("[\"rows\",\"cols\",\"input-gram\",\"grad-gram\",\"mean-gradient\"]");
    assertThat(report.path("examples").intValue()).isEqualTo(12);
    assertThat(report.path("batch").intValue()).isEqualTo(8);
    assertThat(report.path("relativeStandardError").doubleValue()).isBetween(0.001, 1.0);
    try (Checkpoint written = Checkpoint.open(file)) {
      assertThat(written.tensor("rows/transformer.h.0.mlp.c_fc").shape()).isEqualTo(Shape.of(768));
      assertThat(written.tensor("cols/transformer.h.0.mlp.c_fc").shape()).isEqualTo(Shape.of(192));
      assertThat(written.tensor("input_gram/transformer.h.0.mlp.c_fc").shape())
          .isEqualTo(Shape.of(192, 192));
      assertThat(written.tensor("grad_gram/transformer.h.0.mlp.c_fc").shape())
          .isEqualTo(Shape.of(768, 768));
      assertThat(written.tensor("mean_gradient/transformer.h.0.mlp.c_fc.weight").shape())
          .isEqualTo(Shape.of(192, 768));
      assertThat(written.infos()).noneMatch(info -> info.name().startsWith("diag/"));
      assertThat(written.metadata()).containsKeys("relative_standard_error", "model_sha256");
    }
  }

  @Test
  void needsNoBackwardPassForWhatLayersRead() {
    Path file = folder.resolve("f.safetensors");
    JsonNode report =
        fisher(
                file,
                "--samples",
                6,
                "--stats",
                "input-norms,contribution,entropy",
                "--save-every",
                0,
                "--json")
            .json();
    assertThat(report.path("statistics").toString())
        .isEqualTo("[\"input-norms\",\"contribution\",\"entropy\"]");
    assertThat(report.path("relativeStandardError").isMissingNode()).isTrue();
    assertThat(report.path("notes").toString()).contains("no contribution of what is looked up");
    try (Checkpoint written = Checkpoint.open(file)) {
      String module = "transformer.h.0.mlp.c_fc";
      assertThat(written.tensor("input_norms/" + module).shape()).isEqualTo(Shape.of(192));
      TensorView shares = written.tensor("contribution/" + module + ".weight");
      assertThat(shares.shape()).isEqualTo(Shape.of(192, 768));
      // The shares of an output add up to 1 at each of the 32 positions.
      double sum = 0;
      for (double share : shares.toDoubles()) {
        sum += share;
      }
      assertThat(sum).isCloseTo(32 * 768, within(0.1));
      assertThat(written.tensor("entropy/0").shape()).isEqualTo(Shape.of(1));
      assertThat(written.infos().stream().filter(i -> i.name().startsWith("entropy/"))).hasSize(5);
    }
    fisher(folder.resolve("g.safetensors"), "--until", 0.1, "--stats", "diag,entropy")
        .refused(ExitCode.USAGE, "--until cannot be used with entropy");
    smelt(
            "fisher",
            DRAMA,
            "--data",
            DRAMA_TEXT,
            "--seq-len",
            8,
            "--samples",
            3,
            "--stats",
            "entropy",
            "-o",
            folder.resolve("g.safetensors"))
        .refused(ExitCode.USAGE, "too few positions", "expected more than 25, found 24");
  }

  @Test
  void stopsWhenPreciseEnough() {
    Path file = folder.resolve("f.safetensors");
    Run run = fisher(file, "--batch", 1, "--until", 0.9).done();
    assertThat(run.out()).contains("stopped after 8 of", "precise enough");
    fisher(folder.resolve("g.safetensors"), "--until", 2).refused(ExitCode.USAGE, "--until 2.0");
    fisher(folder.resolve("g.safetensors"), "--until", 0.1, "--stats", "input-gram")
        .refused(ExitCode.USAGE, "--until needs Fisher information");
  }

  @Test
  void staysWithinMemory() {
    Path file = folder.resolve("f.safetensors");
    fisher(file, "--samples", 4, "--memory", "600M")
        .refused(ExitCode.USAGE, "memory of 572 MB is too little", "--memory");
    fisher(file, "--samples", 4, "--memory", "much").refused(ExitCode.USAGE, "not a size");
    assertThat(
            fisher(file, "--samples", 20, "--memory", "4G", "--json").json().path("batch").asInt())
        .isEqualTo(64);
  }

  @Test
  void refusesStatisticsThatThereAreNot() {
    Path file = folder.resolve("f.safetensors");
    fisher(file, "--stats", "diag,hessian")
        .refused(ExitCode.USAGE, "no such statistic 'hessian'", "grad-gram");
    fisher(file, "--stats", "diag,diag").refused(ExitCode.USAGE, "twice");
    fisher(file, "--rank1", "--labels", "sampled").refused(ExitCode.USAGE, "--labels empirical");
    fisher(file, "--save-every", -1).refused(ExitCode.USAGE, "--save-every -1");
    assertThat(file).doesNotExist();
  }

  /** A process that is killed outright, as by the system, and one that continues. */
  @Test
  void continuesAfterAKillWithTheSameBytes() throws IOException, InterruptedException {
    Path model = TESTDATA.resolve("bert-base");
    Path whole = folder.resolve("whole.safetensors");
    Path file = folder.resolve("f.safetensors");
    Path partial = folder.resolve("f.partial.safetensors");
    List<String> options = List.of("--labels", "sampled", "--batch", "4", "--save-every", "0");
    Object[] uninterrupted = words(model, whole, options);
    smelt(uninterrupted).done();
    assertThat(folder.resolve("whole.partial.safetensors")).doesNotExist();

    kill(words(model, file, options), partial);
    assertThat(file).doesNotExist();
    smelt(words(model, file, options))
        .refused(ExitCode.USAGE, "f.partial.safetensors", "--resume", "--overwrite");
    List<String> other = new ArrayList<>(options);
    other.addAll(List.of("--seed", "1", "--resume"));
    smelt(words(model, file, other)).refused(ExitCode.BAD_INPUT, "another run", "seed 1, found 0");
    List<String> fewer = new ArrayList<>(options);
    fewer.addAll(List.of("--seq-len", "20", "--resume"));
    smelt(words(model, file, fewer))
        .refused(ExitCode.BAD_INPUT, "another run", "--seq-len 20, found none");

    List<String> resumed = new ArrayList<>(options);
    resumed.add("--resume");
    Run run = smelt(words(model, file, resumed)).done();
    assertThat(run.out()).containsPattern("continued at example [1-9]");
    assertThat(partial).doesNotExist();
    assertThat(file).hasSameBinaryContentAs(whole);
  }

  private static Object[] words(Path model, Path file, List<String> options) {
    List<Object> words = new ArrayList<>(List.of("fisher", model, "--data", REVIEWS, "-o", file));
    words.addAll(options);
    return words.toArray();
  }

  /** Runs the command in a process of its own until it has saved its work, then kills it. */
  private static void kill(Object[] words, Path partial) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.smelt.cli.Main"));
    for (Object word : words) {
      command.add(word.toString());
    }
    command.addAll(List.of("--threads", "1", "--device", "cpu", "--quiet"));
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_TO_SAVE);
    while (!Files.exists(partial) && process.isAlive() && System.nanoTime() < end) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
    process.destroyForcibly();
    assertThat(process.waitFor()).as("ended by the kill").isNotZero();
    assertThat(partial).exists();
  }
}
