package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Forgetting, from the command line. */
class DampenJobTest {

  private static final Path MODEL = TESTDATA.resolve("gpt2-drama");
  private static final Path OTHER = TESTDATA.resolve("gpt2-scripture");
  private static final Path DRAMA = TESTDATA.resolve("text/drama.val.txt");
  private static final Path SCRIPTURE = TESTDATA.resolve("text/scripture.val.txt");

  @TempDir private static Path folder = Path.of("");

  private static Path forget = Path.of("");
  private static Path retain = Path.of("");

  private final Path out = folder.resolve("out");

  private static Path fisher(Path model, Path data, String name) {
    Path file = folder.resolve(name + ".safetensors");
    smelt("fisher", model, "--data", data, "--seq-len", 32, "--samples", 16, "-o", file).done();
    return file;
  }

  @BeforeAll
  static void computeStatistics() {
    forget = fisher(MODEL, SCRIPTURE, "forget");
    retain = fisher(MODEL, DRAMA, "retain");
  }

  private Run dampen(Object... options) {
    List<Object> words =
        new ArrayList<>(
            List.of("dampen", MODEL, "--forget", forget, "--retain", retain, "-o", out));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  @Test
  void forgetsAndSaysHowMuch() {
    JsonNode manifest =
        dampen(
                "--alpha",
                10,
                "--forget-data",
                SCRIPTURE,
                "--retain-data",
                DRAMA,
                "--seq-len",
                32,
                "--samples",
                16,
                "--overwrite",
                "--json")
            .json();
    assertThat(manifest.path("command").asString()).isEqualTo("dampen");
    assertThat(manifest.path("parameters").path("alpha").doubleValue()).isEqualTo(10);
    assertThat(manifest.path("parameters").path("lambda").doubleValue()).isEqualTo(1);
    List<String> roles = new ArrayList<>();
    manifest.path("inputs").forEach(input -> roles.add(input.path("role").asString()));
    assertThat(roles).containsExactly("model", "forget", "retain");
    JsonNode measured = manifest.path("measured");
    assertThat(measured.size()).isEqualTo(4);
    double forgot = loss(measured, 1) - loss(measured, 0);
    double kept = loss(measured, 3) - loss(measured, 2);
    assertThat(measured.get(1).path("stage").asString()).isEqualTo("dampened");
    assertThat(measured.get(0).path("data").asString()).isEqualTo(SCRIPTURE.toString());
    assertThat(measured.get(3).path("data").asString()).isEqualTo(DRAMA.toString());
    assertThat(forgot).isGreaterThan(4 * Math.abs(kept)).isGreaterThan(0.1);
    assertSame(out, SCRIPTURE, loss(measured, 1));
    assertSame(out, DRAMA, loss(measured, 3));
    assertRecords(manifest);
    smelt("verify", out).done();
    assertThat(smelt("verify", out, "--against", MODEL).done().out()).contains("checks passed");
    Run other = smelt("verify", out, "--against", OTHER);
    assertThat(other.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(other.out()).contains("differs  input sha256", "differs  relative error");
  }

  private static double loss(JsonNode measured, int index) {
    return measured.get(index).path("loss").doubleValue();
  }

  private static void assertSame(Path model, Path data, double expected) {
    JsonNode found =
        smelt("eval", model, "--data", data, "--seq-len", 32, "--samples", 16, "--json").json();
    assertThat(found.path("loss").doubleValue()).isCloseTo(expected, within(1e-9));
  }

  /** Counted in the files: bf16 tensors in which some elements are closer to 0. */
  private void assertRecords(JsonNode manifest) {
    long all = 0;
    try (Checkpoint before = Checkpoint.open(MODEL);
        Checkpoint after = Checkpoint.open(out);
        Checkpoint f = Checkpoint.open(forget);
        Checkpoint r = Checkpoint.open(retain)) {
      for (JsonNode record : manifest.path("tensors")) {
        String name = record.path("name").asString();
        double[] x = before.tensor(name).toDoubles();
        double[] y = after.tensor(name).toDoubles();
        double[] of = f.tensor("diag/" + name).toDoubles();
        double[] other = r.tensor("diag/" + name).toDoubles();
        long lowered = 0;
        double error = 0;
        double norm = 0;
        for (int i = 0; i < x.length; i++) {
          if (of[i] > 10 * other[i]) {
            lowered++;
            double wanted = x[i] * (other[i] / of[i]);
            assertThat(y[i]).as(name).isCloseTo(wanted, within(Math.abs(wanted) * 0x1p-8 + 1e-30));
          } else {
            assertThat(y[i]).as(name).isEqualTo(x[i]);
          }
          error += (x[i] - y[i]) * (x[i] - y[i]);
          norm += x[i] * x[i];
        }
        JsonNode dampened = record.path("dampened");
        assertThat(record.path("action").asString()).isEqualTo("dampened");
        assertThat(dampened.path("weights").longValue()).isEqualTo(x.length);
        assertThat(dampened.path("lowered").longValue()).as(name).isEqualTo(lowered);
        assertThat(dampened.path("share").doubleValue()).isEqualTo((double) lowered / x.length);
        assertThat(record.path("relativeError").doubleValue())
            .isCloseTo(norm == 0 ? 0 : Math.sqrt(error / norm), within(1e-9));
        all += lowered;
      }
    }
    assertThat(all).isPositive();
    assertThat(manifest.path("notes").get(0).asString())
        .startsWith("lowered %,d of ".formatted(all));
  }

  @Test
  void tellsPeople() {
    String text =
        dampen(
                "--include",
                "*mlp.c_fc",
                "--forget-data",
                SCRIPTURE,
                "--retain-data",
                DRAMA,
                "--seq-len",
                32,
                "--samples",
                4,
                "--overwrite")
            .done()
            .out();
    assertThat(text)
        .contains("dampen -> ", "lowered", "share", "transformer.h.0.mlp.c_fc.weight")
        .contains("scripture.val.txt: dense", "scripture.val.txt: dampened")
        .contains("drama.val.txt: dampened")
        .doesNotContain("transformer.wte.weight");
  }

  @Test
  void lowersFactorsAsTheWeightsThatTheyAre() {
    Path small = folder.resolve("small");
    smelt("factorize", MODEL, "--keep", 0.5, "--include", "*h.0.mlp.c_??*.weight", "-o", small)
        .done();
    Path f = fisher(small, SCRIPTURE, "small-forget");
    Path r = fisher(small, DRAMA, "small-retain");
    Path target = folder.resolve("forgotten");
    JsonNode manifest =
        smelt("dampen", small, "--forget", f, "--retain", r, "--alpha", 3, "-o", target, "--json")
            .json();
    boolean factor = false;
    for (JsonNode record : manifest.path("tensors")) {
      boolean lowered = record.path("dampened").path("lowered").asLong(0) > 0;
      factor |= lowered && record.path("name").asString().endsWith("ALinear.weight");
    }
    assertThat(factor).isTrue();
    smelt("verify", target, "--against", small).done();
    smelt("eval", target, "--data", DRAMA, "--seq-len", 32, "--samples", 2).done();
    smelt("expand", target, "-o", folder.resolve("dense")).done();
    // Integers with scales have Fisher information, and are no weights of their own.
    Path ints = folder.resolve("ints");
    String names = "*mlp.c_proj";
    Object[] cluster = {"cluster", MODEL, "--max-error", 0.7, "--factors", "int8"};
    smelt(Stream.concat(Stream.of(cluster), Stream.of("--include", names, "-o", ints)).toArray())
        .done();
    Path ofInts = fisher(ints, SCRIPTURE, "ints-forget");
    smelt(
            "dampen",
            ints,
            "--forget",
            ofInts,
            "--retain",
            fisher(ints, DRAMA, "ints-retain"),
            "-o",
            folder.resolve("no-ints"))
        .refused(ExitCode.BAD_INPUT, "cannot dampen a tensor of integers", "smelt expand");
  }

  @Test
  void refusesWhatDoesNotGoTogether() throws IOException {
    Path none = folder.resolve("none");
    Run same = smelt("dampen", MODEL, "--forget", forget, "--retain", forget, "-o", none);
    same.refused(ExitCode.USAGE, "--forget and --retain are the same statistics");
    Path copy = folder.resolve("copy.safetensors");
    Files.copy(forget, copy);
    smelt("dampen", MODEL, "--forget", forget, "--retain", copy, "-o", none)
        .refused(ExitCode.USAGE, "the same statistics");
    smelt("dampen", OTHER, "--forget", forget, "--retain", retain, "-o", none)
        .refused(ExitCode.BAD_INPUT, "statistics are of another model", "--any-model");
    smelt("dampen", OTHER, "--forget", forget, "--retain", retain, "--any-model", "-o", none)
        .done();
    smelt("dampen", MODEL, "--forget", forget, "-o", none).refused(ExitCode.USAGE, "--retain");
    smelt("dampen", MODEL, "--forget", MODEL, "--retain", retain, "-o", out, "--overwrite")
        .refused(ExitCode.BAD_INPUT, "not a statistics file");
    dampen("--alpha", 0, "--overwrite").refused(ExitCode.USAGE, "--alpha 0.0 makes no sense");
    dampen("--lambda", -1, "--overwrite").refused(ExitCode.USAGE, "--lambda -1.0");
    dampen("--seq-len", 32, "--overwrite")
        .refused(ExitCode.USAGE, "no effect without --forget-data or --retain-data");
    dampen("--include", "nothing*", "--overwrite")
        .refused(ExitCode.USAGE, "'nothing*' matches no tensor");
    dampen("--forget-data", folder.resolve("no.txt"), "--overwrite")
        .refused(ExitCode.BAD_INPUT, "no such data");
    smelt("dampen", MODEL, "--forget", forget, "--retain", retain, "-o", forget, "--overwrite")
        .refused(ExitCode.USAGE, "output would replace an input");
    Path cut = folder.resolve("short.safetensors");
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(forget), 5000));
    smelt("dampen", MODEL, "--forget", cut, "--retain", retain, "-o", folder.resolve("n"))
        .refused(ExitCode.BAD_INPUT, "short.safetensors");
    Path few = folder.resolve("few.safetensors");
    TestCheckpoints.file(few, List.of(TestTensors.f32("diag/x", Shape.of(1), 1)));
    smelt(
            "dampen",
            MODEL,
            "--forget",
            few,
            "--retain",
            retain,
            "--any-model",
            "-o",
            folder.resolve("n"))
        .refused(ExitCode.BAD_INPUT, "no Fisher information of any tensor chosen");
    assertThat(folder.resolve("n")).doesNotExist();
  }

  /** What differs between the two estimates is said. */
  @Test
  void notesWhatMakesStatisticsHardToCompare() {
    Path other = folder.resolve("sampled.safetensors");
    smelt(
            "fisher",
            MODEL,
            "--data",
            DRAMA,
            "--seq-len",
            16,
            "--samples",
            4,
            "--labels",
            "sampled",
            "-o",
            other)
        .done();
    String text =
        smelt("dampen", MODEL, "--forget", forget, "--retain", other, "-o", folder.resolve("noted"))
            .done()
            .out();
    assertThat(text)
        .contains("different --labels: empirical to forget, sampled to retain")
        .contains("different --seq-len", "32 to forget, 16 to retain");
  }

  @Test
  void keepsEveryBitWhereNothingMattersMore() {
    Path same = folder.resolve("same");
    JsonNode manifest =
        smelt(
                "dampen",
                MODEL,
                "--forget",
                forget,
                "--retain",
                retain,
                "--alpha",
                1e300,
                "--exclude",
                "*wpe*",
                "--exclude",
                "*wte*",
                "-o",
                same,
                "--json")
            .json();
    assertThat(manifest.path("notes").get(0).asString()).startsWith("lowered 0 of ");
    try (Checkpoint before = Checkpoint.open(MODEL);
        Checkpoint after = Checkpoint.open(same)) {
      for (TensorView tensor : before.tensors()) {
        assertThat(after.tensor(tensor.name()).sameBits(tensor)).as(tensor.name()).isTrue();
      }
    }
    smelt("verify", same, "--against", MODEL).done();
  }
}
