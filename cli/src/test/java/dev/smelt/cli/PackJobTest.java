package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static dev.smelt.formats.testing.CheckpointAssertions.assertNoLeftovers;
import static dev.smelt.formats.testing.CheckpointAssertions.assertSameTensors;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Json;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.TensorView;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Packed checkpoints in every command. */
class PackJobTest {

  private static final Path GPT2 = TESTDATA.resolve("gpt2-drama");
  private static final Path LLAMA = TESTDATA.resolve("llama-drama");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");
  private static final Object[] DATA = {"--data", HELD, "--seq-len", 64, "--samples", 4};

  /** Plain and packed, of the same model with half of its matrices' elements 0. */
  @TempDir private static Path common;

  private static Path plain = Path.of("");
  private static Path packed = Path.of("");

  @TempDir private Path folder;

  @BeforeAll
  static void pack() {
    plain = prune(GPT2, common.resolve("plain"), 0.5);
    packed = common.resolve("packed");
    smelt("pack", plain, "-o", packed).done();
  }

  /** The model with that share of the elements of its matrices 0. */
  private static Path prune(Path model, Path target, double share) {
    SplittableRandom random = new SplittableRandom(11);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      CheckpointWriter.Content content =
          new CheckpointWriter.Content(
              checkpoint.infos(),
              checkpoint.metadata(),
              checkpoint.config(),
              checkpoint.sideFiles());
      try (CheckpointWriter writer = CheckpointWriter.create(OutputOptions.to(target), content)) {
        for (TensorView view : checkpoint.tensors()) {
          byte[] bytes = view.segment().toArray(ValueLayout.JAVA_BYTE);
          int width = view.dtype().bits() / 8;
          boolean scales = view.name().endsWith("_scale");
          for (int i = 0; i < bytes.length && view.shape().isMatrix() && !scales; i += width) {
            if (random.nextDouble() < share) {
              for (int b = 0; b < width; b++) {
                bytes[i + b] = 0;
              }
            }
          }
          writer.slot(view.name()).write(0, MemorySegment.ofArray(bytes));
        }
        writer.commitWithoutManifest();
      }
    }
    return target;
  }

  private static Object[] words(Object[] first, Object... more) {
    List<Object> all = new ArrayList<>(List.of(first));
    all.addAll(List.of(more));
    return all.toArray();
  }

  @Test
  void theManifestHasBothSizes() throws IOException {
    JsonNode manifest = smelt("pack", plain, "-o", folder.resolve("out"), "--json").json();
    JsonNode totals = manifest.path("totals");
    long inFiles = Files.size(packed.resolve("packed.safetensors"));
    long dense = Files.size(plain.resolve("model.safetensors"));
    assertThat(totals.path("bytesAfter").asLong()).isEqualTo(totals.path("bytesBefore").asLong());
    assertThat(totals.path("packedBytes").asLong()).isBetween(inFiles * 98 / 100, inFiles);
    // Half of the values and a bit for each element of bf16: 1/2 + 1/16.
    assertThat((double) inFiles / dense).isBetween(0.55, 0.58);
    assertThat(manifest.path("command").asString()).isEqualTo("pack");
    assertThat(smelt("pack", plain, "-o", folder.resolve("text")).done().out())
        .containsPattern("packed +3\\.\\d+ MB +2\\.\\d+ MB +0\\.5");
    assertThat(Files.mismatch(packed.resolve("smelt.json"), folder.resolve("out/smelt.json")))
        .isEqualTo(-1);
    assertNoLeftovers(folder);
  }

  @Test
  void expandGivesThePlainCheckpointBackByteForByte() throws IOException {
    JsonNode manifest = smelt("expand", packed, "-o", folder.resolve("out"), "--json").json();
    for (String file : List.of("model.safetensors", "config.json", "tokenizer.json")) {
      assertThat(Files.mismatch(folder.resolve("out").resolve(file), plain.resolve(file)))
          .as(file)
          .isEqualTo(-1);
    }
    assertThat(manifest.path("parameters").has("device")).isFalse();
    assertThat(manifest.path("totals").has("packedBytes")).isFalse();
    assertThat(manifest.at("/inputs/0/sha256"))
        .isEqualTo(manifestOf(packed).at("/inputs/0/sha256"));
  }

  private static JsonNode manifestOf(Path checkpoint) throws IOException {
    return Json.parse(Files.readAllBytes(checkpoint.resolve("smelt.json")), "smelt.json");
  }

  @Test
  void inspectSaysWhatIsPacked() {
    JsonNode report = smelt("inspect", packed, "--json").json();
    JsonNode dense = smelt("inspect", plain, "--json").json();
    assertThat(report.path("kind").asString()).isEqualTo("Hugging Face folder, packed");
    assertThat(report.path("bytes")).isEqualTo(dense.path("bytes"));
    assertThat(dense.has("packedBytes")).isFalse();
    long sum = 0;
    for (JsonNode tensor : report.path("tensors")) {
      JsonNode own = tensor.path("packedBytes");
      sum += (own.isMissingNode() ? tensor.path("bytes") : own).asLong();
    }
    assertThat(report.path("packedBytes").asLong()).isEqualTo(sum);
    assertThat(smelt("inspect", packed).done().out())
        .containsPattern("packed +2\\.\\d+ MB, \\d+ tensors")
        .contains("Hugging Face folder, packed");
    JsonNode values = smelt("inspect", packed, "--stats", "--json").json();
    assertThat(values.path("tensors").path(1).path("values"))
        .isEqualTo(
            smelt("inspect", plain, "--stats", "--json")
                .json()
                .path("tensors")
                .path(1)
                .path("values"));
  }

  @Test
  void evaluationAndStatisticsAreTheSame() throws IOException {
    JsonNode one = smelt(words(new Object[] {"eval", packed, "--json"}, DATA)).json();
    JsonNode other = smelt(words(new Object[] {"eval", plain, "--json"}, DATA)).json();
    assertThat(one.path("loss")).isEqualTo(other.path("loss"));
    Path first = folder.resolve("a.safetensors");
    Path second = folder.resolve("b.safetensors");
    smelt(words(new Object[] {"fisher", packed, "-o", first}, DATA)).done();
    smelt(words(new Object[] {"fisher", plain, "-o", second}, DATA)).done();
    assertThat(Files.mismatch(first, second)).isEqualTo(-1);
  }

  @Test
  void whatIsMadeOfItIsTheSame() {
    for (String made : List.of("merge", "factorize")) {
      List<Path> outputs = new ArrayList<>();
      for (Path input : List.of(packed, plain)) {
        Path output = folder.resolve(made + input.getFileName());
        List<Object> words = new ArrayList<>(List.of(made, input, "-o", output));
        if (made.equals("merge")) {
          words.addAll(List.of(TESTDATA.resolve("gpt2-scripture"), "--method", "linear"));
        } else {
          words.addAll(List.of("--keep", 0.5, "--include", "*.h.0.mlp.*.weight"));
        }
        smelt(words.toArray()).done();
        outputs.add(output);
      }
      assertSameTensors(outputs.getFirst(), outputs.getLast());
      assertThat(outputs.getFirst().resolve("model.safetensors")).exists();
    }
  }

  @Test
  void diffComparesPlainTensorsAndShowsBothSizes() throws IOException {
    JsonNode report = smelt("diff", plain, packed, "--json").json();
    assertThat(report.path("before").path("sha256")).isEqualTo(report.path("after").path("sha256"));
    assertThat(report.path("before").has("packedBytes")).isFalse();
    long packedBytes = report.path("after").path("packedBytes").asLong();
    assertThat(packedBytes).isEqualTo(manifestOf(packed).at("/totals/packedBytes").asLong());
    for (JsonNode tensor : report.path("tensors")) {
      assertThat(tensor.path("status").asString()).isEqualTo("same");
      assertThat(tensor.has("packedBytes")).isEqualTo(tensor.path("sparsity").asDouble() > 0.4);
    }
    assertThat(smelt("diff", GPT2, packed).done().out())
        .containsPattern("size +change +packed +change")
        .containsPattern("zeros +before +after +packed");
    for (String name : List.of("r.md", "r.html")) {
      smelt("diff", GPT2, packed, "-o", folder.resolve(name)).done();
      assertThat(Files.readString(folder.resolve(name))).contains("packed", "zeros", "50.");
    }
  }

  @Test
  void verifyChecksFilesSizesAndValues() throws IOException {
    JsonNode report = smelt("verify", packed, "--json").json();
    assertThat(report.path("ok").asBoolean()).isTrue();
    assertThat(report.path("checks").findValuesAsString("check"))
        .contains("sha256", "bytes of tensors", "packed bytes", "finite");
    Path copy = copy(packed, folder.resolve("copy"));
    Path file = copy.resolve("packed.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
    Run damaged = smelt("verify", copy);
    assertThat(damaged.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(damaged.out()).contains("sha256");
    smelt("eval", copy, "--data", HELD).refused(ExitCode.BAD_INPUT, "bits and values", "expected");
  }

  @Test
  void factorsOfIntegersArePackedToo() {
    Path factored = folder.resolve("factored");
    smelt(
            "cluster",
            LLAMA,
            "-o",
            factored,
            "--max-error",
            0.9,
            "--factors",
            "int8",
            "--include",
            "*.layers.0.mlp.*",
            "--include",
            "*.layers.1.mlp.*")
        .done();
    Path sparse = prune(factored, folder.resolve("sparse"), 0.8);
    Path both = folder.resolve("both");
    smelt("pack", sparse, "-o", both).done();
    JsonNode report = smelt("inspect", both, "--json").json();
    assertThat(report.path("int8Factors").asInt()).isPositive();
    assertThat(report.path("tensors").valueStream())
        .anyMatch(row -> row.path("dtype").asString().equals("I8") && row.has("packedBytes"));
    smelt("expand", both, "-o", folder.resolve("a")).done();
    smelt("expand", sparse, "-o", folder.resolve("b")).done();
    assertSameTensors(folder.resolve("a"), folder.resolve("b"));
    JsonNode one = smelt(words(new Object[] {"eval", both, "--json"}, DATA)).json();
    JsonNode other = smelt(words(new Object[] {"eval", sparse, "--json"}, DATA)).json();
    assertThat(one.path("loss")).isEqualTo(other.path("loss"));
  }

  @Test
  void filesOnTheirOwnAndShards() {
    Path file = folder.resolve("one.safetensors");
    smelt("pack", plain, "-o", file).done();
    assertSameTensors(file, plain);
    smelt("verify", file).done();
    Path shards = folder.resolve("shards");
    smelt("pack", plain, "-o", shards, "--shard-size", "100KB").done();
    assertSameTensors(shards, plain);
    smelt("verify", shards).done();
    smelt("pack", shards, "-o", folder.resolve("again")).done();
    assertSameTensors(folder.resolve("again"), plain);
  }

  @Test
  void refusals() {
    smelt("pack", GPT2, "-o", folder.resolve("x"))
        .refused(ExitCode.BAD_INPUT, "nothing to pack", GPT2.toString());
    smelt("pack", plain, "-o", folder.resolve("model.safetensors"))
        .refused(ExitCode.USAGE, "model.safetensors", "choose another name");
    Path file = folder.resolve("model.safetensors");
    smelt("prune", GPT2, "--sparsity", 0.5, "--pack", "-o", file)
        .refused(ExitCode.USAGE, "model.safetensors", "choose another name");
    smelt("pack", plain, "-o", packed).refused(ExitCode.USAGE, "output exists", "--overwrite");
    smelt("pack", packed, "-o", packed, "--overwrite")
        .refused(ExitCode.USAGE, "output would replace an input");
    smelt("expand", plain, "-o", folder.resolve("x"))
        .refused(ExitCode.BAD_INPUT, "nothing to expand", "packed");
    assertNoLeftovers(folder);
  }

  private static Path copy(Path from, Path to) throws IOException {
    Files.createDirectory(to);
    try (var files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(String.valueOf(file.getFileName())));
      }
    }
    return to;
  }
}
