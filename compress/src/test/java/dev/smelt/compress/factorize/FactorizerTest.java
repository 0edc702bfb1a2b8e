package dev.smelt.compress.factorize;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.i64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a factorised checkpoint holds: names, orientation, config, records. */
class FactorizerTest {

  private static final String GPT2 =
      "{\"model_type\": \"gpt2\", \"n_embd\": 6, \"torch_dtype\": \"float32\", \"own\": [1, 2]}";

  private static final String C_FC = "transformer.h.0.mlp.c_fc";
  private static final Factorization.Setup HALF = Factorization.plain(new UniformKeep(0.5));

  private static final TestTensor WEIGHT = random(C_FC + ".weight", DType.F32, 1, 6, 24);
  private static final TestTensor BIAS = random(C_FC + ".bias", DType.F32, 2, 24);
  private static final TestTensor NORM = random("transformer.ln_f.weight", DType.F32, 3, 6);
  private static final TestTensor NORM_BIAS = random("transformer.ln_f.bias", DType.F32, 4, 6);

  @TempDir private Path folder;

  private Path gpt2(TestTensor... tensors) {
    return TestCheckpoints.folder(folder.resolve("in"), GPT2, List.of(tensors));
  }

  private Path file(TestTensor... tensors) {
    return TestCheckpoints.file(folder.resolve("in.safetensors"), List.of(tensors));
  }

  @Test
  void aModuleBecomesTwoFactorsAndItsBias() {
    Path out = folder.resolve("out");
    Factorization done = HALF.run(gpt2(NORM, BIAS, WEIGHT, NORM_BIAS), out);
    try (Checkpoint written = Checkpoint.open(out)) {
      // ⌊0.5 · 6 · 24 / 30⌋ = 2; the Conv1D matrix is stored [in, out].
      assertThat(written.tensor(C_FC + ".ALinear.weight").shape()).isEqualTo(Shape.of(24, 2));
      assertThat(written.tensor(C_FC + ".BLinear.weight").shape()).isEqualTo(Shape.of(2, 6));
      assertThat(written.tensors()).hasSize(5);
      CheckpointAssertions.assertHolds(
          written,
          List.of(
              NORM,
              NORM_BIAS,
              BIAS.renamed(C_FC + ".ALinear.bias"),
              stored(written, C_FC + ".ALinear.weight"),
              stored(written, C_FC + ".BLinear.weight")));
    }
    assertThat(done.records())
        .extracting(TensorRecord::name)
        .containsExactly(NORM.name(), BIAS.name(), WEIGHT.name(), NORM_BIAS.name());
    TensorRecord record = done.record(WEIGHT.name());
    assertThat(record.action()).isEqualTo(TensorRecord.FACTORIZED);
    assertThat(record.rank()).isEqualTo(2);
    assertThat(record.bytesBefore()).isEqualTo(6 * 24 * 4);
    assertThat(record.bytesAfter()).isEqualTo(2 * (6 + 24) * 4);
    assertThat(record.reason()).isNull();
    assertThat(done.record(BIAS.name()))
        .isEqualTo(TensorRecord.kept(BIAS.name(), null, 24 * 4, 24 * 4));
    assertThat(done.notes())
        .containsExactly("biases of factorized modules are stored as <module>.ALinear.bias");
  }

  private static TestTensor stored(Checkpoint checkpoint, String name) {
    return TestTensors.of(checkpoint.tensor(name));
  }

  @Test
  void theConfigTellsOfTheFactors() {
    Path out = folder.resolve("out");
    HALF.run(gpt2(WEIGHT, NORM), out);
    try (Checkpoint written = Checkpoint.open(out)) {
      ModelConfig expected =
          ModelConfig.parse(GPT2)
              .with("low_rank_schema", "ABLinear")
              .with("low_rank_format_version", 1)
              .with("low_rank_method", "plain")
              .with("low_rank_modules", Map.of(C_FC, Map.of("rank", 2, "transposed", true)))
              .with("truncation_ranks", Map.of(C_FC, 2));
      assertThat(written.config()).contains(expected);
    }
  }

  @Test
  void aFileWithoutConfigTellsItInItsHeader() {
    Path out = folder.resolve("out.safetensors");
    HALF.run(file(random("m.weight", DType.F32, 5, 20, 10)), out);
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(written.metadata()).containsOnlyKeys("format", "low_rank_modules");
      String modules = Objects.requireNonNull(written.metadata().get("low_rank_modules"));
      assertThat(ModelConfig.parse(modules)).isEqualTo(ModelConfig.parse("{\"m\": {\"rank\": 3}}"));
    }
  }

  @Test
  void theOrientationOnDiskMakesNoDifference() {
    double[][] w = Plain.random(24, 6, 6);
    Path conv = folder.resolve("conv");
    Factorization transposed =
        HALF.run(gpt2(Plain.tensor(C_FC + ".weight", Plain.transpose(w))), conv);
    Factorization plain =
        HALF.run(file(Plain.tensor(C_FC + ".weight", w)), folder.resolve("out.safetensors"));
    double error = Objects.requireNonNull(plain.record(C_FC + ".weight").relativeError());
    assertThat(transposed.record(C_FC + ".weight").relativeError())
        .isCloseTo(error, within(1e-6 * error));
    assertThat(Plain.relativeError(plain.product(C_FC), transposed.product(C_FC))).isLessThan(1e-6);
  }

  @Test
  void anotherTypeIsForEverythingWritten() {
    Path out = folder.resolve("out");
    TestTensor ids = i64("transformer.ids", Shape.of(2), 1, 2);
    Factorization done = HALF.as(DType.BF16).run(gpt2(WEIGHT, BIAS, NORM, ids), out);
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(written.tensors())
          .allSatisfy(
              view ->
                  assertThat(view.dtype())
                      .isEqualTo(view.name().equals(ids.name()) ? DType.I64 : DType.BF16));
      assertThat(written.config().orElseThrow().text("torch_dtype")).contains("bfloat16");
    }
    assertThat(done.record(NORM.name()).bytesAfter()).isEqualTo(6 * 2);
    assertThat(done.record(WEIGHT.name()).bytesAfter()).isEqualTo(2 * (6 + 24) * 2);
  }

  @Test
  void whatWouldNotShrinkStaysDense() {
    Path in = file(random("m.weight", DType.F32, 7, 8, 8), random("v.bias", DType.F32, 8, 8));
    Factorization.Setup exact = Factorization.plain(new ErrorLimit(1e-3));
    Path dense = folder.resolve("dense.safetensors");
    Factorization done = exact.run(in, dense);
    CheckpointAssertions.assertSameTensors(dense, in);
    TensorRecord record = done.record("m.weight");
    assertThat(record.action()).isEqualTo(TensorRecord.KEPT);
    assertThat(record.reason()).contains("stays dense", "factors of rank 8 would not be smaller");
    assertThat(record.rank()).isNull();
    assertThat(done.notes()).containsExactly("no matrix was factorized; the output is dense");
    try (Checkpoint written = Checkpoint.open(dense)) {
      assertThat(written.metadata()).doesNotContainKey("low_rank_modules");
    }
    Path larger = folder.resolve("larger.safetensors");
    Factorization forced = exact.evenIfLarger().run(in, larger);
    assertThat(forced.record("m.weight").rank()).isEqualTo(8);
    assertThat(forced.record("m.weight").bytesAfter()).isEqualTo(2 * 8 * 8 * 4);
  }

  @Test
  void aDenseOutputKeepsItsConfig() {
    Path out = folder.resolve("out");
    Path in = gpt2(random(C_FC + ".weight", DType.F32, 7, 8, 8));
    Factorization.plain(new ErrorLimit(1e-3)).run(in, out);
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(written.config().orElseThrow()).isEqualTo(ModelConfig.parse(GPT2));
    }
  }

  @Test
  void aRepeatedRunWritesTheSameBytes() {
    Path in = gpt2(NORM, BIAS, WEIGHT);
    HALF.run(in, folder.resolve("one"));
    HALF.run(in, folder.resolve("two"));
    for (String name : List.of("model.safetensors", "config.json")) {
      assertThat(folder.resolve("one").resolve(name))
          .hasSameBinaryContentAs(folder.resolve("two").resolve(name));
    }
  }

  @Test
  void onlyTheSelectedAreFactorised() {
    Path in = file(random("a.weight", DType.F32, 1, 9, 9), random("b.weight", DType.F32, 2, 9, 9));
    LayerSelection selection = new LayerSelection(List.of(), List.of("b"), false);
    Factorization done = HALF.of(selection).run(in, folder.resolve("out.safetensors"));
    assertThat(done.record("a.weight").rank()).isEqualTo(2);
    assertThat(done.record("b.weight").action()).isEqualTo(TensorRecord.KEPT);
    assertThat(done.record("b.weight").reason()).isNull();
  }

  @Test
  void aFactorisedCheckpointIsRefused() {
    Path out = folder.resolve("out");
    HALF.run(gpt2(WEIGHT), out);
    assertThatThrownBy(() -> HALF.run(out, folder.resolve("again")))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("factorized checkpoint [" + out + "]")
        .hasMessageContaining("smelt expand");
  }

  @Test
  void aTensorThatIsNamedLikeAFactorIsNotLost() {
    Path in = gpt2(WEIGHT, BIAS.renamed(C_FC + ".ALinear.weight"));
    assertThatThrownBy(() -> HALF.run(in, folder.resolve("out")))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("two output tensors of one name")
        .hasMessageContaining(in + "|" + C_FC + ".ALinear.weight");
    CheckpointAssertions.assertNoLeftovers(folder);
  }

  @Test
  void aNonFiniteWeightIsRefusedAndNothingIsLeft() {
    float[] broken = new float[81];
    broken[1] = Float.NaN;
    Path in = file(random("a.weight", DType.F32, 1, 9, 9), f32("b.weight", Shape.of(9, 9), broken));
    Path out = folder.resolve("out.safetensors");
    assertThatThrownBy(() -> HALF.run(in, out))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining(in + "|b.weight")
        .hasMessageContaining("index 1")
        .hasMessageContaining("--exclude b");
    CheckpointAssertions.assertNoLeftovers(folder);
    assertThat(Files.exists(out)).isFalse();
  }

  @Test
  void factorsBeyondTheTypeAreRefused() {
    Path in = file(Plain.tensor("m.weight", Plain.scale(Plain.random(9, 9, 9), 1e20)));
    Path out = folder.resolve("out.safetensors");
    assertThatThrownBy(() -> HALF.as(DType.F16).run(in, out))
        .isInstanceOf(LimitException.class)
        .hasMessageContaining("[m.ALinear.weight]")
        .hasMessageContaining("beyond F16")
        .hasMessageContaining("--dtype");
    CheckpointAssertions.assertNoLeftovers(folder);
  }

  @Test
  void scratchFilesAreGone() {
    HALF.run(gpt2(WEIGHT), folder.resolve("out"));
    CheckpointAssertions.assertNoLeftovers(folder);
    CheckpointAssertions.assertEntries(folder, "in", "out");
  }
}
