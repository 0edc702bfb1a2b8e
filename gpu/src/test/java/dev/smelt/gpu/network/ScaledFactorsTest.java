package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Cut;
import dev.smelt.gpu.plain.Ints;
import dev.smelt.gpu.plain.Shared;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import dev.smelt.gpu.statistics.Estimates;
import dev.smelt.gpu.statistics.Labels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks whose factors are integers with scales. */
class ScaledFactorsTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final String C_FC = "transformer.h.0.mlp.c_fc";

  @TempDir private Path folder;

  /** Layers with factors of their own, shared ones, a table, and a change. */
  private static Shared gpt2() {
    return new Shared(TinyModels.gpt2())
        .own("transformer.h.0.attn.c_attn", C_FC, "transformer.wte")
        .a(0, "transformer.h.0.mlp.c_proj", "transformer.h.1.attn.c_proj")
        .b(7, "transformer.wpe", "transformer.h.1.mlp.c_fc")
        .delta(C_FC);
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  @Test
  void layersAreWhatTheirScaledFactorsMake() {
    Ints ints = Ints.of(gpt2().stored());
    LogitAssertions.assertLogits(folder, ints.stored(), gpt2().dense(ints.floats()), WINDOWS);
  }

  @Test
  void kernelsAreWhatTheirScaledFactorsMake() {
    String patches = "vit.embeddings.patch_embeddings.projection";
    Shared shared = new Shared(TinyEncoders.vit()).own(patches);
    Ints ints = Ints.of(shared.stored());
    LogitAssertions.assertLogits(
        folder, ints.stored(), shared.dense(ints.floats()), TinyEncoders.images(3));
  }

  @Test
  void partsAreWhatTheirScaledFactorsMake() {
    Cut cut =
        new Cut(TinyModels.gpt2())
            .rows("transformer.h.0.attn.c_attn", "0 16 16 1 own", "16 8 8 1 dense")
            .columns(C_FC, "0 4 4 1 A7", "4 4 4 1 A7");
    Ints ints = Ints.of(cut.stored());
    LogitAssertions.assertLogits(folder, ints.stored(), cut.dense(ints.floats()), WINDOWS);
  }

  @Test
  void parametersAreTheFactorsAndNotTheirScales() {
    Ints ints = Ints.of(gpt2().stored());
    try (Network network = load(ints.stored())) {
      assertThat(network.parameters().stream().map(TensorInfo::name))
          .containsExactlyInAnyOrderElementsOf(ints.floats().tensors().keySet());
      assertThat(network.unusedTensors()).isEmpty();
    }
  }

  /** Both hold the same numbers, so the same is computed. */
  @Test
  void fisherInformationIsThatOfTheNumbersThatTheyStandFor() {
    Ints ints = Ints.of(gpt2().stored());
    Map<String, double[]> found = diagonal(ints.stored());
    Map<String, double[]> expected = diagonal(ints.floats());
    assertThat(found).containsOnlyKeys(expected.keySet());
    assertThat(found).containsKeys("smelt.basis.0", C_FC + ".ALinear.weight");
    expected.forEach((name, values) -> assertThat(found.get(name)).as(name).isEqualTo(values));
  }

  private Map<String, double[]> diagonal(TinyModel model) {
    try (Network network = load(model)) {
      return Estimates.diagonal(network, WINDOWS, Labels.EMPIRICAL, 2, 0);
    }
  }

  @Test
  void aCopyOfATiedTableHasItsScalesAsWell() {
    String table = "transformer.wte.";
    TinyModel ints =
        Ints.of(new Shared(TinyModels.gpt2()).own("transformer.wte").stored()).stored();
    TinyModel copied = ints;
    for (String name : List.of("ALinear.weight", "BLinear.weight")) {
      for (String tensor : List.of(name, name + "_scale")) {
        copied = copied.withTensor("lm_head." + tensor, ints.tensor(table + tensor));
      }
    }
    try (Network network = load(copied)) {
      assertThat(network.aliases())
          .containsOnlyKeys("lm_head.ALinear.weight", "lm_head.BLinear.weight");
      assertThat(network.unusedTensors()).isEmpty();
    }
    String scale = "lm_head.BLinear.weight_scale";
    double[] other = copied.tensor(scale).values().clone();
    other[0] *= 2;
    TinyModel apart = copied.withTensor(scale, new Tensor(copied.tensor(scale).shape(), other));
    assertThatThrownBy(() -> load(apart).close())
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("tied weights differ", "lm_head.BLinear.weight");
  }

  @Test
  void damagedScalesAreRefused() {
    TinyModel ints = Ints.of(gpt2().stored()).stored();
    String scale = C_FC + ".ALinear.weight_scale";
    Tensor scales = ints.tensor(scale);
    Tensor row = new Tensor(Shape.of(1, scales.values().length), scales.values());
    assertThatThrownBy(() -> load(ints.withTensor(scale, row)).close())
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("|" + scale + "]");
    double[] broken = scales.values().clone();
    broken[1] = Double.NaN;
    assertThatThrownBy(
            () -> load(ints.withTensor(scale, new Tensor(scales.shape(), broken))).close())
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContainingAll("|" + scale + "]", "for row 1");
  }
}
