package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Merging, from the command line. */
class MergeJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");

  @TempDir private Path folder;

  private JsonNode merge(Path out, Object... options) {
    Object[] words = {"merge", DRAMA, SCRIPTURE, "-o", out, "--json"};
    Object[] all = new Object[words.length + options.length];
    System.arraycopy(words, 0, all, 0, words.length);
    System.arraycopy(options, 0, all, words.length, options.length);
    return smelt(all).json();
  }

  /** On the arc between two vectors, the angles to both are t and 1 − t of the whole. */
  @Test
  void slerpDividesTheAngleOfEachTensor() {
    Path out = folder.resolve("merged");
    JsonNode manifest = merge(out, "--method", "slerp", "--t", 0.3, "--dtype", "f32");
    assertThat(manifest.path("parameters").path("method").asString()).isEqualTo("slerp");
    assertThat(manifest.path("parameters").path("t").doubleValue()).isEqualTo(0.3);
    try (Checkpoint first = Checkpoint.open(DRAMA);
        Checkpoint second = Checkpoint.open(SCRIPTURE);
        Checkpoint merged = Checkpoint.open(out)) {
      String name = "transformer.h.1.attn.c_attn.weight";
      // Vectors of unequal length are not on one circle; their directions nearly are.
      double whole = angle(first.tensor(name), second.tensor(bare(second, name)));
      double part = angle(first.tensor(name), merged.tensor(name));
      assertThat(part / whole).isCloseTo(0.3, within(0.01));
    }
  }

  @Test
  void withoutTItIsHalfWay() {
    JsonNode half = merge(folder.resolve("half"), "--method", "slerp");
    assertThat(half.path("parameters").path("t").doubleValue()).isEqualTo(0.5);
  }

  @Test
  void aWholeChangeOfABaseIsTheModel() {
    Path out = folder.resolve("changed");
    JsonNode manifest =
        smelt(
                "merge",
                DRAMA,
                "--base",
                SCRIPTURE,
                "--method",
                "task_arithmetic",
                "-o",
                out,
                "--json")
            .json();
    assertThat(manifest.path("inputs").get(0).path("role").asString()).isEqualTo("base");
    assertThat(manifest.path("inputs").get(1).path("role").asString()).isEqualTo("model");
    assertThat(manifest.path("parameters").path("lambda").doubleValue()).isEqualTo(1);
    assertThat(manifest.path("notes").toString()).contains("side files are those of " + SCRIPTURE);
    try (Checkpoint model = Checkpoint.open(DRAMA);
        Checkpoint merged = Checkpoint.open(out)) {
      for (TensorView view : model.tensors()) {
        assertThat(merged.tensor(view.name()).sameBits(view)).as(view.name()).isTrue();
      }
    }
  }

  @Test
  void aBaseIsNeededWhereOneIsUsedAndRefusedElsewhere() {
    Path out = folder.resolve("none");
    smelt("merge", DRAMA, "--method", "task_arithmetic", "-o", out)
        .refused(ExitCode.USAGE, "--method task_arithmetic needs a base", "--base");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--base", DRAMA, "-o", out)
        .refused(ExitCode.USAGE, "--base has no effect");
    smelt(
            "merge",
            DRAMA,
            "--base",
            SCRIPTURE,
            "--method",
            "task_arithmetic",
            "--weight",
            1,
            "--weight",
            2,
            "-o",
            out)
        .refused(ExitCode.USAGE, "2 values of --weight for 1 models");
    assertThat(out).doesNotExist();
  }

  private static String bare(Checkpoint checkpoint, String name) {
    return checkpoint.find(name).isPresent() ? name : name.replaceFirst("transformer\\.", "");
  }

  private static double angle(TensorView one, TensorView other) {
    double[] a = one.toDoubles();
    double[] b = other.toDoubles();
    double product = 0;
    double ofOne = 0;
    double ofOther = 0;
    for (int k = 0; k < a.length; k++) {
      product += a[k] * b[k];
      ofOne += a[k] * a[k];
      ofOther += b[k] * b[k];
    }
    return Math.acos(product / Math.sqrt(ofOne * ofOther));
  }
}
