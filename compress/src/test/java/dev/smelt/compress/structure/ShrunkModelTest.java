package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.factorize.ErrorLimit;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.Architecture;
import dev.smelt.gpu.network.Logits;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ShrunkModelTest {

  private static final UnitScoring MAGNITUDE = new UnitScoring.Summed(new Magnitude());

  @TempDir private Path folder;

  static List<String> families() {
    return Families.names();
  }

  /** The scores of what goes are what the sums over the matrices lose. */
  @ParameterizedTest
  @MethodSource("families")
  void scoresAreSumsOverAllThatGoes(String name) {
    Families whole = Families.of(name);
    for (StructurePattern pattern : StructurePattern.values()) {
      if (pattern == StructurePattern.HEADS && name.equals("gpt_neox")) {
        continue;
      }
      try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
        StructuredPruner pruner = open(checkpoint, StructureOptions.of(pattern), MAGNITUDE);
        for (double sparsity : new double[] {0, 0.25, 0.5, 0.9}) {
          try (ShrunkModel shrunk = pruner.shrink(sparsity)) {
            double lost = 0;
            for (int i = 0; i < shrunk.removals().size(); i++) {
              for (int unit : shrunk.removals().get(i).gone()) {
                lost += pruner.scores().get(i)[unit];
              }
            }
            double before = magnitude(checkpoint);
            assertThat(lost).isCloseTo(before - magnitude(shrunk), within(1e-9 * before));
          }
        }
      }
    }
  }

  private static double magnitude(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    return checkpoint.tensors().stream()
        .filter(view -> architecture.role(view.info()).isBlockMatrix())
        .flatMapToDouble(view -> Arrays.stream(view.toDoubles()))
        .map(Math::abs)
        .sum();
  }

  /** Sums over the weights of a unit do not change with the other units. */
  @ParameterizedTest
  @MethodSource("families")
  void whereScoresStayWhatTheyAreStepsComeToTheSame(String name) {
    Families whole = Families.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      for (StructurePattern pattern : StructurePattern.values()) {
        if (pattern == StructurePattern.HEADS && name.equals("gpt_neox")) {
          continue;
        }
        StructuredPruner pruner = open(checkpoint, StructureOptions.of(pattern), MAGNITUDE);
        try (ShrunkModel first = pruner.step(0.26);
            ShrunkModel inSteps = pruner.rescored(first, MAGNITUDE, 1, Progress.NONE).shrink(0.6);
            ShrunkModel atOnce = pruner.shrink(0.6)) {
          assertThat(inSteps.removals()).isEqualTo(atOnce.removals());
          assertThat(inSteps.infos()).isEqualTo(atOnce.infos());
        }
      }
    }
  }

  @Test
  void whatHasGoneStaysGoneHoweverItIsScoredLater() {
    Families whole = Families.of("gpt2");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      StructureOptions options =
          new StructureOptions(StructurePattern.NEURONS, 2, false, Optional.empty());
      StructuredPruner pruner = open(checkpoint, options, MAGNITUDE);
      try (ShrunkModel first = pruner.step(0.3)) {
        StructuredPruner later = pruner.rescored(first, MAGNITUDE, 1, Progress.NONE);
        for (int layer = 0; layer < pruner.scores().size(); layer++) {
          Removal removal = first.removals().get(layer);
          double[] dense = pruner.scores().get(layer);
          double[] now = later.scores().get(layer);
          assertThat(removal.count()).isPositive();
          for (int unit = 0; unit < dense.length; unit++) {
            assertThat(now[unit])
                .isEqualTo(removal.gone().contains(unit) ? Double.NEGATIVE_INFINITY : dense[unit]);
          }
        }
      }
    }
  }

  @Test
  void scoresDoNotDependOnThreads() {
    Families whole = Families.of("llama");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      for (StructurePattern pattern : StructurePattern.values()) {
        List<double[]> one = open(checkpoint, pattern, 1).scores();
        List<double[]> three = open(checkpoint, pattern, 3).scores();
        for (int i = 0; i < one.size(); i++) {
          assertThat(three.get(i)).containsExactly(one.get(i));
        }
      }
    }
  }

  private StructuredPruner open(Checkpoint checkpoint, StructurePattern pattern, int threads) {
    return StructuredPruner.open(
        checkpoint,
        StructureOptions.of(pattern),
        MAGNITUDE,
        OutputOptions.to(folder.resolve("small")),
        threads,
        Progress.NONE);
  }

  private StructuredPruner open(
      Checkpoint checkpoint, StructureOptions options, UnitScoring scoring) {
    return StructuredPruner.open(
        checkpoint, options, scoring, OutputOptions.to(folder.resolve("small")), 1, Progress.NONE);
  }

  /** Of a Llama: 4 heads of queries, 2 of keys and values, of width 4. */
  @Test
  void tensorsAndConfigShrinkTogether() {
    Families whole = Families.of("llama");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      try (ShrunkModel shrunk =
          open(checkpoint, StructureOptions.of(StructurePattern.HEADS), MAGNITUDE).shrink(0.5)) {
        assertThat(shape(shrunk, "model.layers.1.self_attn.q_proj.weight")).isEqualTo("[8,8]");
        assertThat(shape(shrunk, "model.layers.1.self_attn.k_proj.weight")).isEqualTo("[4,8]");
        assertThat(shape(shrunk, "model.layers.1.self_attn.o_proj.weight")).isEqualTo("[8,8]");
        assertThat(shape(shrunk, "model.layers.1.mlp.up_proj.weight")).isEqualTo("[6,8]");
        ModelConfig config = shrunk.config().orElseThrow();
        assertThat(config.size("num_attention_heads")).isEqualTo(2);
        assertThat(config.size("num_key_value_heads")).isEqualTo(1);
        assertThat(config.size("head_dim")).isEqualTo(4);
        assertThat(config.size("num_hidden_layers")).isEqualTo(4);
        assertThat(shrunk.removed()).isEqualTo(4);
        assertThat(shrunk.units()).isEqualTo(8);
        assertThat(shrunk.pattern()).isEqualTo(StructurePattern.HEADS);
        // Each of 4 blocks loses 2·4·8 of q and of o, and 4·8 of k and of v.
        assertThat(checkpoint.parameters() - shrunk.parameters()).isEqualTo(4 * (2 * 64 + 2 * 32));
      }
      try (ShrunkModel shrunk =
          open(checkpoint, StructureOptions.of(StructurePattern.NEURONS), MAGNITUDE).shrink(0.34)) {
        assertThat(shape(shrunk, "model.layers.3.mlp.up_proj.weight")).isEqualTo("[4,8]");
        assertThat(shape(shrunk, "model.layers.3.mlp.gate_proj.weight")).isEqualTo("[4,8]");
        assertThat(shape(shrunk, "model.layers.3.mlp.down_proj.weight")).isEqualTo("[8,4]");
        assertThat(shrunk.config().orElseThrow().size("intermediate_size")).isEqualTo(4);
        assertThat(checkpoint.parameters() - shrunk.parameters()).isEqualTo(4 * 3 * 2 * 8);
      }
    }
  }

  private static String shape(Checkpoint checkpoint, String name) {
    return checkpoint.tensor(name).shape().toString();
  }

  @Test
  void headsMayDifferByLayerWhereTheConfigCanSaySo() {
    for (String name : List.of("gpt2", "bert masked", "roberta", "distilbert", "vit")) {
      Families whole = Families.of(name);
      StructureOptions overall =
          new StructureOptions(StructurePattern.HEADS, 1, true, Optional.empty());
      try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
          ShrunkModel shrunk = open(checkpoint, overall, MAGNITUDE).shrink(0.25)) {
        assertThat(shrunk.removed()).isEqualTo(2);
        assertThat(shrunk.removals()).extracting(Removal::count).contains(0, 1);
        assertThat(shrunk.config().orElseThrow().get("pruned_heads").size()).isEqualTo(2);
        assertThat(shrunk.notes()).singleElement().asString().contains("transformers");
        Families zeroed = whole;
        for (int block = 0; block < Families.LAYERS; block++) {
          zeroed = zeroed.withoutHeads(block, 2, shrunk.removals().get(block).gone());
        }
        EquivalenceTest.assertLogits(shrunk, zeroed);
        // Blocks, and hidden units, of a model that lacks heads.
        whereHeadsAreGone(write(shrunk), zeroed);
      }
    }
  }

  private void whereHeadsAreGone(Path headless, Families zeroed) {
    try (Checkpoint checkpoint = Checkpoint.open(headless);
        ShrunkModel fewer =
            open(checkpoint, StructureOptions.of(StructurePattern.BLOCKS), MAGNITUDE).shrink(0.5)) {
      EquivalenceTest.assertLogits(fewer, zeroed.withoutBlocks(fewer.removals().getFirst().gone()));
    }
    try (Checkpoint checkpoint = Checkpoint.open(headless)) {
      // Of two heads a layer one is gone here and there: half of one is none, half of two is one.
      try (ShrunkModel fewer =
          open(checkpoint, StructureOptions.of(StructurePattern.HEADS), MAGNITUDE).shrink(0.5)) {
        assertThat(fewer.config().orElseThrow().get("pruned_heads").size())
            .isEqualTo(Families.LAYERS);
        assertThat(fewer.removed()).isEqualTo(Families.LAYERS - 2);
      }
    }
  }

  @Test
  void whatWasWrittenIsAModelLikeAnyOther() {
    for (String name : List.of("gpt2", "llama", "bert")) {
      Families whole = Families.of(name);
      for (StructurePattern pattern : StructurePattern.values()) {
        Path small;
        List<float[]> logits;
        try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
            ShrunkModel shrunk =
                open(checkpoint, StructureOptions.of(pattern), MAGNITUDE).shrink(0.5)) {
          small = write(shrunk);
          logits = Logits.of(shrunk, whole.examples());
        }
        Factorization factors =
            Factorization.plain(new ErrorLimit(0))
                .evenIfLarger()
                .run(small, folder.resolve(name + pattern));
        try (Checkpoint written = Checkpoint.open(small);
            Checkpoint factorized = Checkpoint.open(factors.target())) {
          assertEqual(Logits.of(written, whole.examples()), logits, 0);
          assertEqual(Logits.of(factorized, whole.examples()), logits, 1e-4);
        }
      }
    }
  }

  private static void assertEqual(List<float[]> found, List<float[]> expected, double tolerance) {
    for (int e = 0; e < expected.size(); e++) {
      assertThat(found.get(e)).hasSameSizeAs(expected.get(e));
      for (int i = 0; i < found.get(e).length; i++) {
        assertThat((double) found.get(e)[i]).isCloseTo(expected.get(e)[i], within(tolerance));
      }
    }
  }

  private Path write(ShrunkModel shrunk) {
    OutputOptions output = new OutputOptions(folder.resolve("small"), true, 1L << 30);
    try (CheckpointWriter writer = CheckpointWriter.create(output, shrunk.content())) {
      var _ = shrunk.write(writer, 1, Progress.NONE);
      writer.commitWithoutManifest();
    }
    return output.target();
  }

  @ParameterizedTest
  @EnumSource(StructurePattern.class)
  void valuesAreRoundedOnceWhereAnotherTypeIsAskedFor(StructurePattern pattern) {
    Families whole = Families.of("gpt2");
    StructureOptions options = new StructureOptions(pattern, 1, false, Optional.of(DType.BF16));
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        ShrunkModel exact = open(checkpoint, StructureOptions.of(pattern), MAGNITUDE).shrink(0.5);
        ShrunkModel rounded = open(checkpoint, options, MAGNITUDE).shrink(0.5)) {
      assertThat(rounded.infos()).extracting(TensorInfo::dtype).containsOnly(DType.BF16);
      assertThat(rounded.bytes() * 2).isEqualTo(exact.bytes());
      assertThat(rounded.content().config().orElseThrow().text("torch_dtype")).hasValue("bfloat16");
      for (TensorView view : exact.tensors()) {
        double[] values = view.toDoubles();
        double[] found = rounded.tensor(view.name()).toDoubles();
        for (int i = 0; i < values.length; i++) {
          assertThat(found[i]).isCloseTo(values[i], within(Math.abs(values[i]) / 256));
        }
      }
    }
  }

  @Test
  void recordsSayWhatBecameOfEachTensor() {
    Families whole = Families.of("gpt2");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      try (ShrunkModel shrunk =
          open(checkpoint, StructureOptions.of(StructurePattern.NEURONS), MAGNITUDE).shrink(0.25)) {
        List<TensorRecord> records = records(shrunk, checkpoint);
        TensorRecord up = named(records, "transformer.h.0.mlp.c_fc.bias");
        assertThat(up.action()).isEqualTo("shrunk");
        assertThat(up.reason()).isEqualTo("3 of 12 hidden units left out");
        assertThat(up.bytesBefore()).isEqualTo(48);
        assertThat(up.bytesAfter()).isEqualTo(36);
        assertThat(named(records, "transformer.h.0.mlp.c_proj.bias").action()).isEqualTo("kept");
        assertThat(named(records, "transformer.wte.weight").reason()).isNull();
      }
      try (ShrunkModel shrunk =
          open(checkpoint, StructureOptions.of(StructurePattern.BLOCKS), MAGNITUDE).shrink(0.25)) {
        int gone = shrunk.removals().getFirst().gone().getFirst();
        List<TensorRecord> records = records(shrunk, checkpoint);
        TensorRecord dropped = named(records, "transformer.h." + gone + ".ln_1.weight");
        assertThat(dropped.action()).isEqualTo("dropped");
        assertThat(dropped.reason()).isEqualTo("in block " + gone + ", which is left out");
        assertThat(dropped.bytesAfter()).isZero();
        if (gone < 3) {
          TensorRecord moved = named(records, "transformer.h.3.ln_1.weight");
          assertThat(moved.action()).isEqualTo("kept");
          assertThat(moved.reason()).isEqualTo("now transformer.h.2.ln_1.weight");
        }
      }
    }
  }

  private static TensorRecord named(List<TensorRecord> records, String name) {
    return records.stream().filter(one -> one.name().equals(name)).findFirst().orElseThrow();
  }

  private static List<TensorRecord> records(ShrunkModel shrunk, Checkpoint checkpoint) {
    List<TensorRecord> records = shrunk.records();
    assertThat(records)
        .extracting(TensorRecord::name)
        .containsExactlyElementsOf(checkpoint.infos().stream().map(TensorInfo::name).toList());
    assertThat(records.stream().mapToLong(TensorRecord::bytesAfter).sum())
        .isEqualTo(shrunk.bytes());
    return records;
  }

  @Test
  void otherValuesTakeThePlaceOfTensors() {
    Families whole = Families.of("gpt2");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        ShrunkModel shrunk =
            open(checkpoint, StructureOptions.of(StructurePattern.NEURONS), MAGNITUDE)
                .shrink(0.5)) {
      TensorView other = checkpoint.tensor("transformer.h.1.mlp.c_fc.bias");
      TensorView view = shrunk.tensor("transformer.h.0.mlp.c_proj.bias");
      TensorView values = checkpoint.tensor("transformer.h.3.mlp.c_proj.bias");
      shrunk.replace(Map.of(view.name(), values));
      assertThat(shrunk.tensor(view.name()).toDoubles()).containsExactly(values.toDoubles());
      assertThat(checkpoint.tensor(view.name()).toDoubles()).isNotEqualTo(values.toDoubles());
      org.assertj.core.api.Assertions.assertThatThrownBy(
              () -> shrunk.replace(Map.of("transformer.h.1.mlp.c_fc.bias", other)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void theLargestShareLeavesOneOfEach() {
    Families whole = Families.of("gpt2");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      for (StructurePattern pattern : StructurePattern.values()) {
        StructuredPruner pruner = open(checkpoint, StructureOptions.of(pattern), MAGNITUDE);
        try (ShrunkModel shrunk = pruner.shrink(pruner.largestSparsity())) {
          assertThat(shrunk.removals()).extracting(Removal::left).containsOnly(1);
        }
      }
      StructureOptions overall =
          new StructureOptions(StructurePattern.HEADS, 1, true, Optional.empty());
      StructuredPruner pruner = open(checkpoint, overall, MAGNITUDE);
      assertThat(pruner.largestSparsity()).isEqualTo(0.5);
      try (ShrunkModel shrunk = pruner.shrink(0.5)) {
        assertThat(shrunk.removals()).extracting(Removal::left).containsOnly(1);
      }
    }
  }

  @Test
  void aShareOfLessThanOneLeavesTheModelAsItIs() {
    Families whole = Families.of("qwen3");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")))) {
      for (StructurePattern pattern : StructurePattern.values()) {
        try (ShrunkModel shrunk =
            open(checkpoint, StructureOptions.of(pattern), MAGNITUDE).shrink(0.1)) {
          assertThat(shrunk.removed()).isZero();
          assertThat(shrunk.notes()).singleElement().asString().startsWith("nothing was left out");
          for (Map.Entry<String, Tensor> entry : whole.model().tensors().entrySet()) {
            assertThat(shrunk.tensor(entry.getKey()).toDoubles())
                .containsExactly(entry.getValue().values());
          }
        }
      }
    }
  }
}
