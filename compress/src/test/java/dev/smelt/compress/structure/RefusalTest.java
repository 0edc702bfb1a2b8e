package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.factorize.UniformKeep;
import dev.smelt.compress.prune.FisherLoss;
import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RefusalTest {

  private static final UnitScoring MAGNITUDE = new UnitScoring.Summed(new Magnitude());

  @TempDir private Path folder;

  private AbstractThrowableAssert<?, ? extends Throwable> assertRefused(
      Path source, StructureOptions options, UnitScoring scoring, double sparsity) {
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      return assertThatThrownBy(() -> shrink(checkpoint, options, scoring, sparsity).close());
    }
  }

  private AbstractThrowableAssert<?, ? extends Throwable> assertRefused(
      TinyModel model, StructurePattern pattern) {
    return assertRefused(
        model.write(folder.resolve("model")), StructureOptions.of(pattern), MAGNITUDE, 0.5);
  }

  private ShrunkModel shrink(
      Checkpoint checkpoint, StructureOptions options, UnitScoring scoring, double sparsity) {
    return StructuredPruner.open(
            checkpoint,
            options,
            scoring,
            OutputOptions.to(folder.resolve("small")),
            1,
            Progress.NONE)
        .shrink(sparsity);
  }

  @ParameterizedTest
  @EnumSource(StructurePattern.class)
  void networksWhosePartsAreNotKnown(StructurePattern pattern) {
    assertRefused(TinyModels.gpt2().withConfig("model_type", "mamba"), pattern)
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("found model_type mamba; known are bert, distilbert, gemma, gemma2");
    Path bare =
        TestCheckpoints.file(
            folder.resolve("bare.safetensors"),
            List.of(TestTensors.f32("h.0.mlp.c_fc.weight", Shape.of(1, 1), 1)));
    assertRefused(bare, StructureOptions.of(pattern), MAGNITUDE, 0.5)
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("expected config.json with model_type");
  }

  @ParameterizedTest
  @EnumSource(StructurePattern.class)
  void factorizedModels(StructurePattern pattern) {
    Path model = TinyModels.gpt2().write(folder.resolve("model"));
    Path factors =
        Factorization.plain(new UniformKeep(0.5)).run(model, folder.resolve("ab")).target();
    assertRefused(factors, StructureOptions.of(pattern), MAGNITUDE, 0.5)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("run smelt expand on it first");
  }

  @Test
  void headsThatTheConfigCannotCount() {
    assertRefused(TinyDecoders.languageModel("gpt_neox"), StructurePattern.HEADS)
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining(
            "the width of a head is hidden_size / num_attention_heads;"
                + " leave out neurons or blocks instead");
  }

  @Test
  void unequalSizesThatTheConfigCannotState() {
    for (StructurePattern pattern : List.of(StructurePattern.NEURONS, StructurePattern.HEADS)) {
      Path llama = TinyDecoders.languageModel("llama").write(folder.resolve(pattern.toString()));
      StructureOptions overall = new StructureOptions(pattern, 1, true, Optional.empty());
      assertRefused(llama, overall, MAGNITUDE, 0.5)
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("for all layers; leave out as many of each layer: --scope tensor");
    }
    Path gpt2 = TinyModels.gpt2().write(folder.resolve("gpt2"));
    assertRefused(
            gpt2,
            new StructureOptions(StructurePattern.NEURONS, 1, true, Optional.empty()),
            MAGNITUDE,
            0.5)
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("n_inner");
  }

  @Test
  void shapesThatDoNotFitEachOther() {
    TinyModel gpt2 = TinyModels.gpt2();
    assertRefused(gpt2.without("transformer.h.1.mlp.c_fc.weight"), StructurePattern.NEURONS)
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("expected 'transformer.h.1.mlp.c_fc.weight'");
    assertRefused(
            gpt2.withTensor(
                "transformer.h.1.mlp.c_fc.weight",
                gpt2.tensor("transformer.h.1.attn.c_proj.weight")),
            StructurePattern.NEURONS)
        .isInstanceOf(MismatchException.class);
    assertRefused(gpt2.withConfig("n_head", 3), StructurePattern.HEADS)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("expected a multiple of 3");
    assertRefused(gpt2.withConfig("n_layer", 1), StructurePattern.BLOCKS)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("expected blocks 0 to 0 from config.json");
    TinyModel llama = TinyDecoders.languageModel("llama");
    assertRefused(
            llama.withTensor(
                "model.layers.0.self_attn.k_proj.weight",
                llama.tensor("model.layers.0.mlp.up_proj.weight")),
            StructurePattern.HEADS)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("heads of 4, whose number divides 4");
    assertRefused(
            gpt2.withTensor("transformer.h.0.mlp.c_fc.bias", gpt2.tensor("transformer.ln_f.bias")),
            StructurePattern.NEURONS)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("expected [12], found [8]");
  }

  @Test
  void weightsThatAreNotFinite() {
    TinyModel model = TinyModels.gpt2().copy();
    model.tensor("transformer.h.1.mlp.c_proj.weight").values()[5] = Double.NaN;
    for (StructurePattern pattern : List.of(StructurePattern.NEURONS, StructurePattern.BLOCKS)) {
      assertRefused(model, pattern)
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("transformer.h.1.mlp.c_proj.weight");
    }
  }

  @Test
  void statisticsThatAreMissing() {
    Path file = folder.resolve("f.safetensors");
    TestCheckpoints.file(file, List.of(TestTensors.f32("diag/x", Shape.of(1), 1)));
    Path model = TinyModels.gpt2().write(folder.resolve("model"));
    try (Statistics statistics = Statistics.open(file)) {
      for (StructurePattern pattern : StructurePattern.values()) {
        assertRefused(
                model,
                StructureOptions.of(pattern),
                new UnitScoring.Summed(new FisherLoss(statistics)),
                0.5)
            .isInstanceOf(NotFoundException.class)
            .hasMessageContaining("diag/transformer.h.0");
      }
    }
  }

  @Test
  void criteriaThatDoNotFitThePattern() {
    Path model = TinyModels.gpt2().write(folder.resolve("model"));
    Path grams = new GramFile().add("x", 1, 1).write(folder.resolve("grams.safetensors"));
    try (Statistics statistics = Statistics.open(grams)) {
      for (StructurePattern pattern : List.of(StructurePattern.NEURONS, StructurePattern.HEADS)) {
        assertRefused(model, StructureOptions.of(pattern), new UnitScoring.Entropy(statistics), 0.5)
            .isInstanceOf(UsageException.class)
            .hasMessageContaining("block-entropy");
      }
      UnitScoring surgeon =
          new UnitScoring.Surgeon(new InputGram(statistics, 0.01), TestDevice.get());
      assertRefused(model, StructureOptions.of(StructurePattern.BLOCKS), surgeon, 0.5)
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("obs");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1})
  void multiplesBelowOne(int multiple) {
    assertThatThrownBy(
            () -> new StructureOptions(StructurePattern.HEADS, multiple, false, Optional.empty()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--multiple");
  }

  /** 0.1 1.1 1.0 5 5.5 6.5 6: the second block takes away, the third adds most. */
  @Test
  void blocksThatAddLeastEntropyGoButTheFirstTwoAndTheLast() {
    Path model = deep(Families.of("gpt2").model(), 6).write(folder.resolve("model"));
    StructureOptions blocks = StructureOptions.of(StructurePattern.BLOCKS);
    try (Checkpoint checkpoint = Checkpoint.open(model);
        Statistics statistics = entropies(0.1f, 1.1f, 1.0f, 5, 5.5f, 6.5f, 6)) {
      UnitScoring entropy = new UnitScoring.Entropy(statistics);
      try (ShrunkModel shrunk = shrink(checkpoint, blocks, entropy, 0.34)) {
        assertThat(shrunk.removals())
            .containsExactly(new Removal("transformer.h", 6, List.of(3, 4)));
      }
      assertThatThrownBy(() -> shrink(checkpoint, blocks, entropy, 0.7).close())
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("4 of 6 blocks would go, and 3 may at most");
    }
  }

  @Test
  void entropiesThatAreMissingOrNone() {
    Path model = deep(Families.of("gpt2").model(), 6).write(folder.resolve("model"));
    StructureOptions blocks = StructureOptions.of(StructurePattern.BLOCKS);
    try (Statistics six = entropies(1, 2, 3, 4, 5, 6)) {
      assertRefused(model, blocks, new UnitScoring.Entropy(six), 0.2)
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("entropy/6")
          .hasMessageContaining("smelt fisher --stats entropy");
    }
    try (Statistics none = entropies(1, 2, 3, Float.NaN, 5, 6, 7)) {
      assertRefused(model, blocks, new UnitScoring.Entropy(none), 0.2)
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("entropy/3");
    }
    Path file = folder.resolve("two.safetensors");
    TestCheckpoints.file(file, List.of(TestTensors.f32("entropy/0", Shape.of(2), 1, 2)));
    try (Statistics two = Statistics.open(file)) {
      assertRefused(model, blocks, new UnitScoring.Entropy(two), 0.2)
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected [1], found [2]");
    }
  }

  private Statistics entropies(float... values) {
    Path file = folder.resolve("entropy" + values.length + ".safetensors");
    List<TestTensor> tensors = new ArrayList<>();
    for (int block = 0; block < values.length; block++) {
      tensors.add(TestTensors.f32("entropy/" + block, Shape.of(1), values[block]));
    }
    return Statistics.open(TestCheckpoints.file(file, tensors));
  }

  /** With copies of the first block. */
  private static TinyModel deep(TinyModel model, int layers) {
    TinyModel made = model.withConfig("n_layer", layers);
    for (int block = 0; block < layers; block++) {
      for (String name : model.tensors().keySet()) {
        if (name.startsWith("transformer.h.0.")) {
          made = made.withTensor(name.replace(".h.0.", ".h." + block + "."), model.tensor(name));
        }
      }
    }
    return made;
  }

  /** Checkpoints of the bare model have no prefix. */
  @Test
  void namesMayLackThePrefix() {
    TinyModel bare = TinyModels.gpt2().renamed(name -> name.substring("transformer.".length()));
    try (Checkpoint checkpoint = Checkpoint.open(bare.write(folder.resolve("bare")))) {
      for (StructurePattern pattern : StructurePattern.values()) {
        try (ShrunkModel shrunk =
            shrink(checkpoint, StructureOptions.of(pattern), MAGNITUDE, 0.5)) {
          assertThat(shrunk.removed()).isPositive();
          assertThat(shrunk.parameters()).isLessThan(checkpoint.parameters());
          assertThat(dev.smelt.gpu.network.Logits.of(shrunk, TestData.windows(5))).hasSize(1);
        }
      }
    }
  }
}
