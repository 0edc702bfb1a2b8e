package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Clusters stored in a type of their own, from the command line. */
class ScaledFactorsJobTest {

  private static final Path LLAMA = TESTDATA.resolve("llama-drama");
  private static final Path GPT2 = TESTDATA.resolve("gpt2-drama");
  private static final Path BERT = TESTDATA.resolve("bert-base");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");

  /** The expanded f64 tensors are products of f64. */
  private static final double ROUNDING = 1e-12;

  @TempDir private Path folder = Path.of("");

  private JsonNode cluster(Path model, String out, Object... options) {
    List<Object> words = new ArrayList<>(List.of("cluster", model));
    words.addAll(List.of("-o", folder.resolve(out), "--json"));
    words.addAll(List.of(options));
    return smelt(words.toArray()).json();
  }

  /** ‖X − Y‖² and ‖X‖² of tensors of one name. */
  private record Squares(double error, double norm) {

    static Squares of(TensorView x, TensorView y) {
      double[] before = x.toDoubles();
      double[] after = y.toDoubles();
      double error = 0;
      double norm = 0;
      for (int i = 0; i < before.length; i++) {
        error += (before[i] - after[i]) * (before[i] - after[i]);
        norm += before[i] * before[i];
      }
      return new Squares(error, norm);
    }
  }

  /** From the files alone: multiplied out in f64, and compared in plain Java. */
  @ParameterizedTest
  @CsvSource({"0.05,int8", "0.3,int8", "0.3,f32", "0.2,bf16"})
  void thePromiseHoldsInWhatWasWritten(double maxError, String type) {
    JsonNode manifest = cluster(LLAMA, "out", "--max-error", maxError, "--factors", type);
    Path out = folder.resolve("out");
    Path dense = folder.resolve("dense");
    smelt("expand", out, "-o", dense, "--dtype", "f64").done();
    int factors = 0;
    try (Checkpoint before = Checkpoint.open(LLAMA);
        Checkpoint after = Checkpoint.open(dense)) {
      Map<String, Squares> squares = new HashMap<>();
      for (TensorView tensor : before.tensors()) {
        squares.put(tensor.name(), Squares.of(tensor, after.tensor(tensor.name())));
      }
      for (JsonNode cluster : manifest.path("clusters")) {
        double error = 0;
        double norm = 0;
        for (JsonNode member : cluster.path("members")) {
          Squares of = squares.getOrDefault(member.asString() + ".weight", new Squares(9, 1));
          error += of.error();
          norm += of.norm();
        }
        assertThat(Math.sqrt(error / norm))
            .isLessThanOrEqualTo(maxError)
            .isCloseTo(cluster.path("relativeError").doubleValue(), within(ROUNDING));
      }
      for (JsonNode tensor : manifest.path("tensors")) {
        if (tensor.path("rank").isMissingNode()) {
          continue;
        }
        factors++;
        Squares of = squares.getOrDefault(tensor.path("name").asString(), new Squares(9, 1));
        assertThat(Math.sqrt(of.error() / of.norm()))
            .isCloseTo(tensor.path("relativeError").doubleValue(), within(ROUNDING));
        if (tensor.path("action").asString().equals("factorized")) {
          assertThat(Math.sqrt(of.error() / of.norm())).isLessThanOrEqualTo(maxError);
        }
      }
    }
    assertThat(factors).isPositive();
    smelt("verify", out, "--against", LLAMA).done();
  }

  @Test
  void whatIsWrittenIsListedAndCounted() {
    JsonNode manifest = cluster(GPT2, "out", "--max-error", 0.5, "--factors", "int8");
    assertThat(manifest.path("parameters").path("factors").asString()).isEqualTo("int8");
    Path out = folder.resolve("out");
    long bytes = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      bytes += tensor.path("bytesAfter").longValue();
    }
    List<String> ints = new ArrayList<>();
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(bytes)
          .isEqualTo(written.bytes())
          .isEqualTo(manifest.path("totals").path("bytesAfter").longValue());
      for (TensorView tensor : written.tensors()) {
        boolean factor = tensor.name().matches("smelt\\.basis\\.[0-9]+|.*Linear\\.weight");
        assertThat(tensor.dtype() == DType.I8).as(tensor.name()).isEqualTo(factor);
        if (factor) {
          ints.add('"' + tensor.name() + '"');
          TensorView scales = written.tensor(tensor.name() + "_scale");
          assertThat(scales.info().toString())
              .contains("F32", "[" + tensor.shape().size(0) + ",1]");
        }
      }
      String listed = written.config().orElseThrow().get("low_rank_int8").toString();
      assertThat(listed.substring(1, listed.length() - 1).split(","))
          .containsExactlyInAnyOrderElementsOf(ints);
    }
    JsonNode shown = smelt("inspect", out, "--stats", "--json").json();
    assertThat(shown.path("int8Factors").intValue()).isEqualTo(ints.size());
    for (JsonNode row : shown.path("tensors")) {
      assertThat(row.path("values").path("nonFinite").intValue()).isZero();
      if (row.path("dtype").asString().equals("I8")) {
        assertThat(row.path("values").path("max").doubleValue()).isBetween(1e-4, 60.0);
        assertThat(row.path("role").asString()).isEqualTo("factor");
      }
    }
    assertThat(smelt("inspect", out).out()).contains(ints.size() + " factors in int8");
    JsonNode diff = smelt("diff", GPT2, out, "--json").json();
    for (int i = 0; i < manifest.path("clusters").size(); i++) {
      assertThat(diff.path("shared").get(i).path("bytesAfter"))
          .isEqualTo(manifest.path("clusters").get(i).path("bytesAfter"));
    }
    smelt("merge", out, out, "--method", "linear", "-o", folder.resolve("x"))
        .refused(ExitCode.BAD_INPUT, "cannot merge factors");
  }

  /** Its dense form has the type of the model, and runs as it does. */
  @ParameterizedTest
  @CsvSource({"gpt2-drama,BF16,192", "llama-drama,F32,384"})
  void aModelInIntegersRunsAsItsDenseFormDoes(String name, String type, int panel) {
    Path model = TESTDATA.resolve(name);
    Object[] data = {"--data", HELD, "--seq-len", 32, "--samples", 3};
    List<Object> options =
        new ArrayList<>(List.of("--max-error", 0.5, "--panel", panel, "--factors", "int8"));
    options.addAll(List.of(data));
    JsonNode manifest = cluster(model, "out", options.toArray());
    double loss = manifest.path("measured").get(1).path("loss").doubleValue();
    Path out = folder.resolve("out");
    Path same = folder.resolve("same");
    smelt("expand", out, "-o", same).done();
    try (Checkpoint expanded = Checkpoint.open(same)) {
      assertThat(expanded.infos())
          .allSatisfy(info -> assertThat(info.dtype().label()).isEqualTo(type));
      assertThat(expanded.config().orElseThrow().get("low_rank_int8").isMissingNode()).isTrue();
    }
    Path wide = folder.resolve("wide");
    smelt("expand", out, "-o", wide, "--dtype", "f32").done();
    for (Path written : List.of(out, wide)) {
      JsonNode found =
          smelt("eval", written, data[0], data[1], data[2], data[3], data[4], data[5], "--json")
              .json();
      assertThat(found.path("loss").doubleValue()).isCloseTo(loss, within(1e-5));
    }
  }

  /** Factors twice as wide as matrices must be half as many to pay, of half the width twice. */
  @Test
  void bytesDecideAndNotElements() {
    long last = Long.MAX_VALUE;
    for (String type : List.of("f32", "bf16", "int8")) {
      JsonNode manifest = cluster(BERT, type, "--max-error", 0.6, "--factors", type);
      JsonNode totals = manifest.path("totals");
      long bytes = totals.path("bytesAfter").longValue();
      assertThat(bytes)
          .isLessThanOrEqualTo(totals.path("bytesBefore").longValue())
          .isLessThan(last);
      for (JsonNode tensor : manifest.path("tensors")) {
        if (tensor.path("action").asString().equals("factorized")) {
          assertThat(tensor.path("bytesAfter").longValue())
              .isLessThan(tensor.path("bytesBefore").longValue());
        }
      }
      for (JsonNode cluster : manifest.path("clusters")) {
        assertThat(cluster.path("bytesAfter").longValue())
            .isLessThan(cluster.path("bytesBefore").longValue());
      }
      last = bytes;
    }
  }

  @Test
  void aZooSharesBasesOfIntegers() {
    Path other = TESTDATA.resolve("gpt2-scripture");
    Object[] words = {
      "cluster", GPT2, other, "-o", folder.resolve("zoo"), "--max-error", 0.5, "--factors", "int8"
    };
    smelt(words).done();
    smelt("verify", folder.resolve("zoo"), "--against", GPT2, "--against", other).done();
    try (Checkpoint one = Checkpoint.open(folder.resolve("zoo/gpt2-drama"))) {
      assertThat(one.find("smelt.basis.0_scale")).isPresent();
    }
    smelt("expand", folder.resolve("zoo/gpt2-drama"), "-o", folder.resolve("dense")).done();
  }

  @Test
  void damagedScalesAreRefused() {
    cluster(LLAMA, "out", "--max-error", 0.5, "--factors", "int8");
    Path out = folder.resolve("out");
    String scale = "smelt.basis.0_scale";
    String config;
    Map<String, TestTensor> tensors = new LinkedHashMap<>();
    try (Checkpoint written = Checkpoint.open(out)) {
      config = written.config().orElseThrow().toJson();
      for (TensorView view : written.tensors()) {
        tensors.put(view.name(), TestTensors.of(view));
      }
    }
    TestTensor good = Objects.requireNonNull(tensors.get(scale));
    int rows = (int) good.shape().size(0);
    byte[] none = good.bytes();
    none[3] = 0x7f;
    none[2] = (byte) 0xc0;
    Map<String, TestTensor> damages = new LinkedHashMap<>();
    damages.put("without scales", good.renamed("other"));
    damages.put(
        "expected F32 [" + rows + ",1], found F32 [" + rows + "]",
        new TestTensor(scale, DType.F32, Shape.of(rows), good.bytes()));
    damages.put("found NaN for row 0", new TestTensor(scale, DType.F32, good.shape(), none));
    damages.forEach(
        (message, damage) -> {
          Map<String, TestTensor> changed = new LinkedHashMap<>(tensors);
          changed.remove(scale);
          changed.put(damage.name(), damage);
          Path bad =
              TestCheckpoints.folder(
                  folder.resolve("bad"), config, new ArrayList<>(changed.values()));
          smelt("eval", bad, "--data", HELD, "--samples", 1).refused(ExitCode.BAD_INPUT, message);
          smelt("expand", bad, "-o", folder.resolve("x")).refused(ExitCode.BAD_INPUT, message);
          smelt("diff", LLAMA, bad).refused(ExitCode.BAD_INPUT, message);
        });
  }

  @Test
  void whatIsNoTypeOfFactorsIsRefused() {
    for (String type : List.of("int4", "i16", "U8", "")) {
      smelt("cluster", GPT2, "-o", folder.resolve("x"), "--max-error", 0.3, "--factors", type)
          .refused(ExitCode.USAGE, "--factors", "use int8, f32");
    }
    smelt("factorize", GPT2, "-o", folder.resolve("x"), "--keep", 0.5, "--dtype", "int8")
        .refused(ExitCode.USAGE, "--dtype 'int8'", "cluster --factors");
    assertThat(folder.resolve("x")).doesNotExist();
  }
}
