package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.testing.CheckpointAssertions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A search for weights, beside the merges that it tries, made and measured one by one. */
class MergeSearchTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");
  private static final List<Path> TEXTS =
      List.of(TESTDATA.resolve("text/drama.val.txt"), TESTDATA.resolve("text/scripture.val.txt"));

  @TempDir private Path folder;

  private double loss(Path model, Path text) {
    return smelt("eval", model, "--data", text, "--seq-len", 64, "--samples", 8, "--json")
        .json()
        .path("loss")
        .doubleValue();
  }

  @Test
  void theBestOfTheGridIsWritten() {
    Path out = folder.resolve("out");
    JsonNode search =
        smelt(
                "merge",
                DRAMA,
                SCRIPTURE,
                "--method",
                "linear",
                "--search",
                3,
                "--data",
                TEXTS.get(0),
                "--data",
                TEXTS.get(1),
                "--seq-len",
                64,
                "--samples",
                8,
                "-o",
                out,
                "--json")
            .json()
            .path("parameters")
            .path("search");
    assertThat(search.path("metric").asString()).isEqualTo("loss");
    double best = Double.POSITIVE_INFINITY;
    Path expected = folder;
    for (int i = 0; i < 3; i++) {
      double second = i / 2.0;
      Path merged = folder.resolve("merged" + i);
      smelt(
              "merge",
              DRAMA,
              SCRIPTURE,
              "--method",
              "linear",
              "--weight",
              1 - second,
              "--weight",
              second,
              "-o",
              merged,
              "--json")
          .json();
      JsonNode tried = search.path("tries").path(i);
      assertThat(tried.path("weights").path(1).doubleValue()).isEqualTo(second);
      double sum = 0;
      for (int task = 0; task < 2; task++) {
        double loss = loss(merged, TEXTS.get(task));
        assertThat(tried.path("values").path(task).doubleValue()).isCloseTo(loss, within(1e-9));
        sum += loss;
      }
      assertThat(tried.path("mean").doubleValue()).isCloseTo(sum / 2, within(1e-9));
      if (sum < best) {
        best = sum;
        expected = merged;
      }
    }
    try (Checkpoint found = Checkpoint.open(out);
        Checkpoint wanted = Checkpoint.open(expected)) {
      CheckpointAssertions.assertSameTensors(found, wanted);
    }
    assertThat(folder.resolve("out.search")).doesNotExist();
  }

  @Test
  void optionsThatDoNotGoTogetherAreRefused() {
    Path out = folder.resolve("none");
    List<Object> linear = List.of("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", out);
    refused(linear, "--search needs held-out data", "--search", 3);
    refused(linear, "--search 1 is no search", "--search", 1, "--data", TEXTS.getFirst());
    refused(linear, "--data has no effect without --search", "--data", TEXTS.getFirst());
    refused(linear, "--samples has no effect without --search", "--samples", 3);
    refused(
        linear,
        "--weight has no effect with --search",
        "--search",
        3,
        "--data",
        TEXTS.getFirst(),
        "--weight",
        1,
        "--weight",
        1);
    refused(
        List.of("merge", DRAMA, SCRIPTURE, "--method", "slerp", "-o", out),
        "--search has no effect with --method slerp",
        "--search",
        3,
        "--data",
        TEXTS.getFirst());
    assertThat(out).doesNotExist();
  }

  private static void refused(List<Object> words, String message, Object... more) {
    List<Object> all = new ArrayList<>(words);
    all.addAll(List.of(more));
    smelt(all.toArray()).refused(ExitCode.USAGE, message);
  }
}
