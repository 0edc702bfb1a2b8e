package dev.smelt.compress.delta;

import static dev.smelt.compress.delta.TunedModel.ATTENTION;
import static dev.smelt.compress.delta.TunedModel.ATTENTION_CHANGE;
import static dev.smelt.compress.delta.TunedModel.BASE_ATTENTION;
import static dev.smelt.compress.delta.TunedModel.SAME;
import static dev.smelt.compress.delta.TunedModel.TABLE;
import static dev.smelt.compress.delta.TunedModel.TABLE_CHANGE;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.i64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.delta.DeltaRank.Fixed;
import dev.smelt.compress.delta.DeltaRank.Keep;
import dev.smelt.compress.delta.DeltaRank.MaxError;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.formats.peft.AdapterFactors;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeltaTest {

  /** Of numbers that went through one rounding to f32. */
  private static final double F32 = 1e-6;

  @TempDir private Path folder;
  private Path base = Path.of("");
  private Path tuned = Path.of("");

  @BeforeEach
  void write() {
    base = TunedModel.write(folder.resolve("base"), TunedModel.base());
    tuned = TunedModel.write(folder.resolve("tuned"), TunedModel.tuned());
  }

  private Extraction run(DeltaOptions options) {
    return Extraction.run(tuned, base, folder.resolve("adapter"), options);
  }

  private static AdapterFactors factors(Adapter adapter, String module) {
    return Objects.requireNonNull(adapter.factors().get(module));
  }

  private static double[][] product(AdapterFactors factors) {
    return Plain.multiply(Plain.rows(factors.b()), Plain.rows(factors.a()));
  }

  @Test
  void changesOfLowRankAreFoundWhole() {
    Extraction run = run(Extraction.options(new Fixed(2)));
    try (Adapter adapter = Adapter.open(run.adapter())) {
      AdapterFactors table = factors(adapter, "transformer.wte");
      assertThat(table.table()).isTrue();
      assertThat(table.scale()).isEqualTo(1);
      assertThat(table.a().shape()).isEqualTo(Shape.of(2, 30));
      assertThat(table.b().shape()).isEqualTo(Shape.of(8, 2));
      // The model itself is rounded to f32, at ten times the size of its change.
      assertThat(Plain.relativeError(TABLE_CHANGE, Plain.transpose(product(table))))
          .isLessThan(10 * F32);
    }
  }

  @Test
  void factorsOfAConv1dAreThoseOfTheMatrixThatMapsInputsToOutputs() {
    Extraction run = run(Extraction.options(new Fixed(3)));
    double[] s = Plain.singularValues(ATTENTION_CHANGE);
    try (Adapter adapter = Adapter.open(run.adapter())) {
      AdapterFactors factors = factors(adapter, "transformer.h.0.attn.c_attn");
      assertThat(factors.a().shape()).as("[r, in]").isEqualTo(Shape.of(3, 8));
      assertThat(factors.b().shape()).as("[out, r]").isEqualTo(Shape.of(24, 3));
      double[][] a = Plain.rows(factors.a());
      double[][] b = Plain.transpose(Plain.rows(factors.b()));
      for (int i = 0; i < 3; i++) {
        assertThat(Plain.frobenius(new double[][] {a[i]}))
            .as("A = √S Vᵀ")
            .isCloseTo(Math.sqrt(s[i]), within(1e-5));
        assertThat(Plain.frobenius(new double[][] {b[i]}))
            .as("B = U √S")
            .isCloseTo(Math.sqrt(s[i]), within(1e-5));
      }
      double error = Plain.relativeError(ATTENTION_CHANGE, Plain.transpose(product(factors)));
      assertThat(error).isCloseTo(Plain.tail(s, 3) / Plain.tail(s, 0), within(1e-5));
    }
  }

  @Test
  void errorsAreOfTheChangeAndOfTheTensor() {
    TensorRecord record = run(Extraction.options(new Fixed(3))).record(ATTENTION);
    double[] s = Plain.singularValues(ATTENTION_CHANGE);
    double expected = Plain.tail(s, 3) / Plain.tail(s, 0);
    double norm = Plain.frobenius(Plain.add(BASE_ATTENTION, 1, ATTENTION_CHANGE));
    assertThat(record.action()).isEqualTo(TensorRecord.DELTA);
    assertThat(record.rank()).isEqualTo(3);
    assertThat(record.deltaError()).isCloseTo(expected, within(1e-5));
    assertThat(record.weightedRelativeError()).isEqualTo(record.deltaError());
    assertThat(record.relativeError()).isCloseTo(Plain.tail(s, 3) / norm, within(1e-5));
    assertThat(record.bytesBefore()).isEqualTo(8 * 24 * 4);
    assertThat(record.bytesAfter()).isEqualTo(3 * (8 + 24) * 4);
  }

  @Test
  void aBoundTakesTheSmallestRankThatMeetsIt() {
    double[] s = Plain.singularValues(ATTENTION_CHANGE);
    for (double bound : new double[] {0.6, 0.3, 0.1}) {
      int smallest = 1;
      while (Plain.tail(s, smallest) > bound * Plain.tail(s, 0)) {
        smallest++;
      }
      Path target = folder.resolve("bound" + bound);
      TensorRecord record =
          Extraction.run(tuned, base, target, Extraction.larger(new MaxError(bound)))
              .record(ATTENTION);
      assertThat(record.rank()).isEqualTo(smallest);
      assertThat(record.deltaError()).isLessThanOrEqualTo(bound);
    }
  }

  @Test
  void keepingAShareCountsElements() {
    // 8·24/(8+24) = 6 and 30·8/38 = 6.3: half is 3.
    Extraction run = run(Extraction.options(new Keep(0.5)));
    assertThat(run.record(ATTENTION).rank()).isEqualTo(3);
    assertThat(run.record(TABLE).rank()).isEqualTo(3);
  }

  @Test
  void fullRankGivesTheModelBack() {
    Extraction run = run(Extraction.larger(new MaxError(0)));
    try (AdaptedModel model = run.on(base);
        Checkpoint expected = Checkpoint.open(tuned)) {
      assertThat(model.infos()).isEqualTo(expected.infos());
      for (TensorView view : expected.tensors()) {
        double[] found = model.tensor(view.name()).toDoubles();
        double[] wanted = view.toDoubles();
        for (int i = 0; i < wanted.length; i++) {
          assertThat(found[i])
              .as("%s[%d]", view.name(), i)
              .isCloseTo(wanted[i], within(F32 * (1 + Math.abs(wanted[i]))));
        }
      }
    }
  }

  @Test
  void normsAndBiasesAreKeptToTheBit() {
    Extraction run = run(Extraction.options(new Fixed(2)));
    try (AdaptedModel model = run.on(base);
        Checkpoint expected = Checkpoint.open(tuned);
        Adapter adapter = Adapter.open(run.adapter())) {
      for (String name :
          List.of(
              "transformer.h.0.attn.c_attn.bias",
              "transformer.h.0.ln_1.weight",
              "transformer.h.0.ln_1.bias",
              "transformer.h.0.mlp.c_fc.bias",
              SAME)) {
        assertThat(model.tensor(name).toFloats()).isEqualTo(expected.tensor(name).toFloats());
      }
      assertThat(adapter.config().modulesToSave()).containsExactly("transformer.h.0.ln_1");
      assertThat(adapter.config().bias()).isEqualTo("all");
      assertThat(adapter.config().fanInFanOut()).isTrue();
      assertThat(adapter.config().tiedWeights()).isTrue();
      assertThat(adapter.config().taskType()).contains("CAUSAL_LM");
      assertThat(adapter.weights().infos())
          .extracting(info -> info.name())
          .containsExactlyInAnyOrder(
              "base_model.model.transformer.wte.lora_embedding_A",
              "base_model.model.transformer.wte.lora_embedding_B",
              "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight",
              "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight",
              "base_model.model.transformer.h.0.attn.c_attn.base_layer.bias",
              "base_model.model.transformer.h.0.ln_1.weight",
              "base_model.model.transformer.h.0.ln_1.bias",
              "base_model.model.transformer.h.0.mlp.c_fc.bias");
    }
    assertThat(run.record(SAME).action()).isEqualTo(TensorRecord.UNCHANGED);
    assertThat(run.record("transformer.h.0.ln_1.weight").reason()).contains("with its module");
    assertThat(run.record("transformer.h.0.ln_1.bias").action()).isEqualTo(TensorRecord.KEPT);
  }

  @Test
  void noChangeIsTheBaseBitForBit() {
    Extraction run =
        Extraction.run(base, base, folder.resolve("none"), Extraction.options(new Fixed(2)));
    assertThat(run.records()).extracting(TensorRecord::action).containsOnly(TensorRecord.UNCHANGED);
    assertThat(run.notes()).anySatisfy(note -> assertThat(note).contains("no matrix became"));
    try (AdaptedModel model = run.on(base);
        Checkpoint expected = Checkpoint.open(base)) {
      CheckpointAssertions.assertSameTensors(model, expected);
    }
  }

  @Test
  void aVocabularyThatGrewIsKeptInFull() {
    List<TestTensor> tensors = TunedModel.tuned();
    tensors.set(0, Plain.tensor(TABLE, Plain.random(33, 8, 9)));
    tuned =
        TestCheckpoints.folder(
            folder.resolve("grown"),
            TunedModel.CONFIG.replace("}", ", \"vocab_size\": 33}"),
            tensors);
    Extraction run = run(Extraction.options(new Fixed(2)));
    assertThat(run.record(TABLE).action()).isEqualTo(TensorRecord.KEPT);
    assertThat(run.record(TABLE).reason()).contains("[33,8]", "[30,8]");
    try (AdaptedModel model = run.on(base)) {
      assertThat(Plain.rows(model.tensor(TABLE)).length).isEqualTo(33);
      assertThat(model.config().orElseThrow().size("vocab_size")).isEqualTo(33);
      assertThat(model.notes()).anySatisfy(note -> assertThat(note).contains("[33,8]"));
    }
  }

  @Test
  void whatIsNotSelectedStaysAsInTheBaseAndIsListed() {
    DeltaOptions options =
        new DeltaOptions(
            new PlainMetric(),
            new Fixed(2),
            false,
            new NamePatterns(List.of(), List.of("*wte", "*.bias")),
            Optional.empty(),
            false);
    Extraction run = run(options);
    TensorRecord table = run.record(TABLE);
    assertThat(table.action()).isEqualTo(TensorRecord.DROPPED);
    double norm = Plain.frobenius(Plain.add(TunedModel.BASE_TABLE, 1, TABLE_CHANGE));
    assertThat(table.relativeError()).isCloseTo(Plain.frobenius(TABLE_CHANGE) / norm, within(1e-6));
    assertThat(table.deltaError()).isEqualTo(1);
    try (AdaptedModel model = run.on(base);
        Checkpoint original = Checkpoint.open(base)) {
      assertThat(model.tensor(TABLE).toFloats()).isEqualTo(original.tensor(TABLE).toFloats());
    }
  }

  @Test
  void uniformFactorsAreFilledUpWithZeros() {
    DeltaOptions options = Extraction.uniform(new MaxError(0.05));
    Extraction run = run(options);
    int rank = Objects.requireNonNull(run.record(ATTENTION).rank());
    assertThat(rank).isGreaterThan(2);
    assertThat(run.record(TABLE).rank()).isEqualTo(rank);
    try (Adapter adapter = Adapter.open(run.adapter())) {
      assertThat(adapter.config().rankPattern()).isEmpty();
      assertThat(adapter.config().rank()).isEqualTo(rank);
      AdapterFactors table = factors(adapter, "transformer.wte");
      double[][] a = Plain.rows(table.a());
      for (int i = 2; i < rank; i++) {
        assertThat(a[i]).as("row %d", i).containsOnly(0);
      }
      assertThat(Plain.relativeError(TABLE_CHANGE, Plain.transpose(product(table))))
          .isLessThan(10 * F32);
    }
  }

  @Test
  void factorsThatWouldNotBeSmallerStayWhole() {
    // Break-even is 8·24/32 = 6.
    TensorRecord record = run(Extraction.options(new Fixed(6))).record(ATTENTION);
    assertThat(record.action()).isEqualTo(TensorRecord.KEPT);
    assertThat(record.reason()).contains("rank 6", "not be smaller");
    try (AdaptedModel model =
            new Extraction(folder.resolve("adapter"), List.of(), List.of()).on(base);
        Checkpoint expected = Checkpoint.open(tuned)) {
      assertThat(model.tensor(ATTENTION).toFloats())
          .isEqualTo(expected.tensor(ATTENTION).toFloats());
    }
  }

  @Test
  void bareCheckpointsGetThePrefixOfTheirClass() {
    List<TestTensor> bareBase = bare(TunedModel.base());
    List<TestTensor> bareTuned = bare(TunedModel.tuned());
    base = TunedModel.write(folder.resolve("bare-base"), bareBase);
    tuned = TunedModel.write(folder.resolve("bare-tuned"), bareTuned);
    Extraction run = run(Extraction.options(new Fixed(2)));
    try (Adapter adapter = Adapter.open(run.adapter());
        AdaptedModel model = run.on(base)) {
      assertThat(adapter.factors().keySet())
          .containsExactlyInAnyOrder("transformer.wte", "transformer.h.0.attn.c_attn");
      assertThat(model.find("h.0.attn.c_attn.weight")).isPresent();
    }
  }

  private static List<TestTensor> bare(List<TestTensor> tensors) {
    return tensors.stream()
        .map(tensor -> tensor.renamed(tensor.name().replaceFirst("^transformer\\.", "")))
        .toList();
  }

  @Test
  void headsOfClassifiersAreAlwaysThere() {
    String config =
        "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"]}";
    TestTensor layer =
        Plain.tensor("bert.encoder.layer.0.output.dense.weight", Plain.random(9, 9, 1));
    TestTensor other =
        Plain.tensor("bert.encoder.layer.0.output.dense.weight", Plain.random(9, 9, 2));
    TestTensor head = Plain.tensor("classifier.weight", Plain.random(2, 9, 3));
    TestTensor bias = TunedModel.vector("classifier.bias", 2, 1);
    base = TestCheckpoints.folder(folder.resolve("b"), config, List.of(layer, head, bias));
    tuned = TestCheckpoints.folder(folder.resolve("t"), config, List.of(other, head, bias));
    Extraction run = run(Extraction.options(new Fixed(2)));
    try (Adapter adapter = Adapter.open(run.adapter())) {
      assertThat(adapter.config().taskType()).contains("SEQ_CLS");
      assertThat(adapter.config().modulesToSave()).containsExactly("classifier");
      assertThat(adapter.full().keySet())
          .containsExactlyInAnyOrder("classifier.weight", "classifier.bias");
    }
  }

  private void refused(Class<? extends SmeltException> type, String... parts) {
    assertThatThrownBy(() -> run(Extraction.options(new Fixed(2))))
        .isInstanceOf(type)
        .hasMessageContainingAll(parts);
    CheckpointAssertions.assertNoLeftovers(folder);
    assertThat(folder.resolve("adapter")).doesNotExist();
  }

  @Test
  void whatCannotBeKeptIsRefused() {
    List<TestTensor> tensors = TunedModel.tuned();
    tensors.add(i64("ids", Shape.of(1), 3));
    tuned = TunedModel.write(folder.resolve("ids"), tensors);
    refused(MismatchException.class, "I64", "ids", "--exclude");

    tuned =
        TestCheckpoints.folder(folder.resolve("other"), "{}", List.of(f32("x", Shape.of(1), 1)));
    refused(MismatchException.class, "share no tensor name");

    tensors = TunedModel.tuned();
    tensors.set(1, f32(ATTENTION, Shape.of(8, 24), notFinite(8 * 24)));
    tuned = TunedModel.write(folder.resolve("nan"), tensors);
    refused(NonFiniteException.class, ATTENTION);

    tuned =
        TestCheckpoints.folder(
            folder.resolve("factors"), "{\"low_rank_modules\": {\"m\": {\"rank\": 1}}}", tensors);
    refused(MismatchException.class, "factorized checkpoint", "smelt expand");
  }

  private static float[] notFinite(int size) {
    float[] values = new float[size];
    values[size - 1] = Float.NaN;
    return values;
  }

  @Test
  void ranksAndPatternsAreChecked() {
    assertThatThrownBy(() -> new Fixed(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new MaxError(1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Keep(0)).isInstanceOf(UsageException.class);
    DeltaOptions nothing =
        new DeltaOptions(
            new PlainMetric(),
            new Fixed(1),
            false,
            new NamePatterns(List.of("*.nothing"), List.of()),
            Optional.empty(),
            false);
    assertThatThrownBy(() -> run(nothing))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("*.nothing");
  }
}
