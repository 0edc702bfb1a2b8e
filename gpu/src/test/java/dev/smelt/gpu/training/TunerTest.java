package dev.smelt.gpu.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Factors;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TunerTest {

  /** A few updates in f32, whose size is the learning rate, against f64. */
  private static final double TOLERANCE = 2e-5;

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3);
  private static final String BLOCK = "transformer.h.1.mlp.c_fc";

  @TempDir private Path folder;

  private Network load(TinyModel model, String name) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve(name)))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  /** All examples in every step, so that their order does not matter. */
  private static TuneOptions options(int steps, double rate, int examples) {
    return new TuneOptions(steps, rate, 0, examples, 0.1, 0.9, 0.95, 1e-8, 0.5, 0.25, 3, false);
  }

  private Map<String, float[]> values(Network network) {
    Map<String, float[]> values = new LinkedHashMap<>();
    try (Scratch scratch = Storage.local().scratch(folder.resolve("out"))) {
      for (TensorInfo info : network.parameters()) {
        values.put(info.name(), network.values(info.name(), scratch).toFloats());
      }
    }
    return values;
  }

  private static Tuned tune(
      Network network, List<Example> examples, Set<String> names, TuneOptions options) {
    return Tuner.tune(
        network, TestData.dataset(examples), names, options, Optional.empty(), Progress.NONE);
  }

  /** One step has the whole rate; of three without warm-up the others follow the cosine. */
  private static double[] rates(TuneOptions options) {
    double[] rates = new double[options.steps()];
    for (int t = 0; t < rates.length; t++) {
      double done = t == 0 ? 0 : (t - 1.0) / (rates.length - 1.0);
      rates[t] = options.learningRate() / 2 * (1 + Math.cos(Math.PI * done));
    }
    return rates;
  }

  private void assertSteps(
      TinyModel model, List<Example> examples, List<String> names, Optional<TinyModel> teacher) {
    assertSteps(model, examples, names, teacher, options(3, 0.05, examples.size()));
  }

  private void assertSteps(
      TinyModel model,
      List<Example> examples,
      List<String> names,
      Optional<TinyModel> teacher,
      TuneOptions options) {
    PlainAdamW plain = new PlainAdamW(model, teacher, options);
    double[] losses = plain.train(names, examples, rates(options));
    Optional<Network> taught = teacher.map(t -> load(t, "teacher"));
    try (Network network = load(model, "student")) {
      Tuned tuned =
          Tuner.tune(
              network,
              TestData.dataset(examples),
              Set.copyOf(names),
              options,
              taught,
              Progress.NONE);
      assertThat(tuned.losses()).containsExactly(losses, within(TOLERANCE));
      Map<String, float[]> values = values(network);
      for (TensorInfo info : network.parameters()) {
        double[] expected = plain.model().tensor(info.name()).values();
        float[] found = Objects.requireNonNull(values.get(info.name()));
        for (int i = 0; i < expected.length; i++) {
          double bound = names.contains(info.name()) ? TOLERANCE : 0;
          assertThat((double) found[i]).as(info.name()).isCloseTo(expected[i], within(bound));
        }
      }
    } finally {
      taught.ifPresent(Network::close);
    }
  }

  @Test
  void followsTheEquationsOnFactorsOfALanguageModel() {
    assertSteps(
        Factors.ofEveryModule(TinyModels.gpt2()),
        WINDOWS,
        List.of(BLOCK + ".ALinear.weight", BLOCK + ".BLinear.weight", BLOCK + ".ALinear.bias"),
        Optional.empty());
  }

  @Test
  void followsTheEquationsWithATeacher() {
    TinyModel dense = TinyDecoders.languageModel("llama");
    String module = "model.layers.0.self_attn.v_proj";
    assertSteps(
        Factors.ofEveryModule(dense),
        WINDOWS,
        List.of(module + ".ALinear.weight", module + ".BLinear.weight"),
        Optional.of(dense));
  }

  @Test
  void followsTheEquationsOnClassifiersAndMaskedModels() {
    assertSteps(
        Factors.ofEveryModule(TinyModels.bert()),
        TestData.labelled(4, 1, 7, 2, 6),
        List.of("bert.encoder.layer.1.output.dense.ALinear.weight"),
        Optional.empty());
    assertSteps(
        TinyEncoders.bertMasked(),
        TestData.masked(4, 7, 2),
        List.of("bert.encoder.layer.0.attention.self.query.weight"),
        Optional.empty());
  }

  @Test
  void followsTheEquationsOnATableThatIsUsedTwiceAndOnVectors() {
    assertSteps(TinyModels.gpt2(), WINDOWS, List.of("transformer.wte.weight"), Optional.empty());
  }

  @Test
  void followsTheEquationsWhereZerosAreHeld() {
    List<String> names = List.of(BLOCK + ".weight", "transformer.wte.weight", BLOCK + ".bias");
    assertSteps(
        withZeros(TinyModels.gpt2(), names),
        WINDOWS,
        names,
        Optional.empty(),
        options(3, 0.05, WINDOWS.size()).withZerosHeld());
  }

  /** Every third element is 0, and every ninth -0. */
  private static TinyModel withZeros(TinyModel model, List<String> names) {
    TinyModel copy = model.copy();
    for (String name : names) {
      double[] values = copy.tensor(name).values();
      for (int i = 0; i < values.length; i += 3) {
        values[i] = i % 9 == 0 ? -0.0 : 0;
      }
    }
    return copy;
  }

  @Test
  void holdsZerosToTheBitAndNothingElse() {
    List<String> names = List.of(BLOCK + ".weight", BLOCK + ".bias");
    TinyModel model = withZeros(TinyModels.gpt2(), names);
    TuneOptions options = TuneOptions.of(40, 0.03).withDistillation(0).withBatch(2);
    try (Network held = load(model, "held");
        Network free = load(model, "free")) {
      var _ = tune(held, WINDOWS, Set.copyOf(names), options.withZerosHeld());
      var _ = tune(free, WINDOWS, Set.copyOf(names), options);
      for (String name : names) {
        float[] found = Objects.requireNonNull(values(held).get(name));
        float[] other = Objects.requireNonNull(values(free).get(name));
        double[] before = model.tensor(name).values();
        for (int i = 0; i < found.length; i++) {
          if (i % 3 == 0) {
            assertThat(Float.floatToRawIntBits(found[i]))
                .as(name + " " + i)
                .isEqualTo(Float.floatToRawIntBits((float) before[i]));
            assertThat(other[i]).as(name + " " + i).isNotZero();
          } else {
            assertThat(found[i]).as(name + " " + i).isNotEqualTo((float) before[i]);
          }
        }
      }
    }
  }

  @Test
  void makesTheLossFallAndComesCloserToTheTeacher() {
    TinyModel dense = TinyModels.gpt2();
    try (Network student = load(Factors.ofEveryModule(dense), "student");
        Network teacher = load(dense, "teacher")) {
      Set<String> factors =
          student.parameters().stream()
              .map(TensorInfo::name)
              .filter(name -> name.contains("Linear.weight"))
              .collect(Collectors.toSet());
      Tuned tuned =
          Tuner.tune(
              student,
              TestData.dataset(WINDOWS),
              factors,
              TuneOptions.of(60, 0.03).withDistillation(1).withBatch(2),
              Optional.of(teacher),
              Progress.NONE);
      double[] losses = tuned.losses();
      double before = (losses[0] + losses[1]) / 2;
      double after = (losses[58] + losses[59]) / 2;
      assertThat(after).isLessThan(before / 4);
      assertThat(tuned.trained())
          .isEqualTo(
              student.parameters().stream()
                  .filter(info -> factors.contains(info.name()))
                  .mapToLong(TensorInfo::elements)
                  .sum());
      assertThat(tuned.examples()).isEqualTo(120);
    }
  }

  @Test
  void isTheSameForTheSameSeedOnly() {
    Map<String, float[]> first = tunedWith(1);
    assertThat(tunedWith(1)).usingRecursiveComparison().isEqualTo(first);
    assertThat(tunedWith(2).get(BLOCK + ".weight")).isNotEqualTo(first.get(BLOCK + ".weight"));
  }

  private Map<String, float[]> tunedWith(long seed) {
    try (Network network = load(TinyModels.gpt2(), "seed")) {
      var _ =
          tune(
              network,
              WINDOWS,
              Set.of(BLOCK + ".weight"),
              TuneOptions.of(5, 0.01).withBatch(2).withSeed(seed));
      return values(network);
    }
  }

  @Test
  void leavesANetworkThatRunsAsBefore() {
    try (Network network = load(TinyModels.gpt2(), "again")) {
      double before = loss(network);
      var _ = tune(network, WINDOWS, Set.of(BLOCK + ".weight"), options(4, 0.05, 4));
      assertThat(loss(network)).isLessThan(before);
      // The gradients of the first time must not count in the second.
      Tuned one = tune(network, WINDOWS, Set.of(BLOCK + ".bias"), options(1, 0.05, 4));
      assertThat(one.losses()[0]).isCloseTo(loss(network), within(0.5));
    }
  }

  private static double loss(Network network) {
    return Evaluator.evaluate(network, TestData.dataset(WINDOWS), 4, Progress.NONE).loss();
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "gemma2", "phi3", "gpt_neox"})
  void holdsNoMoreArraysAfterManySteps(String type) {
    TinyModel model = TinyDecoders.languageModel(type);
    String norm =
        type.equals("gpt_neox") ? "gpt_neox.final_layer_norm.weight" : "model.norm.weight";
    try (Network student = load(model, "student");
        Network teacher = load(model, "teacher")) {
      int[] held = new int[2];
      for (int round = 0; round < 2; round++) {
        var _ =
            Tuner.tune(
                student,
                TestData.dataset(WINDOWS),
                Set.of(norm),
                TuneOptions.of(3, 0.01).withDistillation(0.5),
                Optional.of(teacher),
                Progress.NONE);
        held[round] = arrays(student, norm) + arrays(teacher, norm);
      }
      assertThat(held[1]).isEqualTo(held[0]);
    }
  }

  private static int arrays(Network network, String parameter) {
    return network.learned(parameter).value().getManager().getManagedArrays().size();
  }

  @Test
  void replacesValuesAndReadsThemBack() {
    try (Network network = load(TinyModels.gpt2(), "one");
        Network other = load(TinyModels.gpt2(), "two");
        Scratch scratch = Storage.local().scratch(folder.resolve("out"))) {
      var _ = tune(network, WINDOWS, Set.of(BLOCK + ".weight"), options(2, 0.05, 4));
      assertThat(loss(other)).isNotEqualTo(loss(network));
      other.replace(BLOCK + ".weight", network.values(BLOCK + ".weight", scratch).toFloats());
      assertThat(loss(other)).isEqualTo(loss(network));
      assertThat(values(other)).usingRecursiveComparison().isEqualTo(values(network));
      assertThatThrownBy(() -> other.replace(BLOCK + ".bias", new float[3]))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("found 3");
      float[] broken = new float[(int) other.learned(BLOCK + ".bias").info().elements()];
      broken[1] = Float.NaN;
      assertThatThrownBy(() -> other.replace(BLOCK + ".bias", broken))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("element 1");
    }
  }

  @Test
  void refusesWhatItCannotTrain() {
    TuneOptions wild = new TuneOptions(30, 1e30, 0, 4, 0, 0.9, 0.95, 1e-8, 1, 0, 0, false);
    try (Network network = load(TinyModels.gpt2(), "refused");
        Network classifier = load(TinyModels.gpt2Classifier(), "classifier")) {
      assertThatThrownBy(() -> tune(network, WINDOWS, Set.of("no.such"), options(1, 0.1, 1)))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("no.such");
      assertThatThrownBy(
              () ->
                  Tuner.tune(
                      network,
                      TestData.dataset(WINDOWS),
                      Set.of(BLOCK + ".weight"),
                      options(1, 0.1, 1),
                      Optional.of(classifier),
                      Progress.NONE))
          .isInstanceOf(MismatchException.class);
      assertThatThrownBy(() -> tune(network, WINDOWS, Set.of(BLOCK + ".weight"), wild))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("--lr");
    }
  }
}
