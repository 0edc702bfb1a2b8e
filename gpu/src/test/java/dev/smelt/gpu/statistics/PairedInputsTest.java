package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Factors;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.PlainNetwork;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import dev.smelt.gpu.statistics.PairedInputs.Grams;
import dev.smelt.gpu.statistics.PairedInputs.Pair;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PairedInputsTest {

  /** f32 forward passes against f64, relative to the largest value. */
  private static final double TOLERANCE = 5e-6;

  /** Mixed lengths, so that batches have padding. */
  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3);

  private static final TinyModel DENSE = TinyDecoders.languageModel("llama");
  private static final TinyModel FACTORS = Factors.ofEveryModule(DENSE);
  private static final String ATTENTION = "model.layers.1.self_attn.";

  @TempDir private Path folder;

  private Network load(TinyModel model, String name) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve(name)))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private Map<Pair, Grams> collect(
      TinyModel original, TinyModel compressed, int batch, Pair... pairs) {
    try (Network before = load(original, "original");
        Network after = load(compressed, "compressed")) {
      return PairedInputs.collect(
          before, after, TestData.dataset(WINDOWS), List.of(pairs), batch, Progress.NONE);
    }
  }

  private static Grams get(Map<Pair, Grams> found, Pair pair) {
    return Objects.requireNonNull(found.get(pair));
  }

  /** What the output matrix reads, as the logits of a network whose output matrix is I. */
  private static double[][] hidden(TinyModel model, Example example) {
    double[] identity = new double[TinyModels.VOCABULARY * TinyDecoders.WIDTH];
    for (int i = 0; i < TinyDecoders.WIDTH; i++) {
      identity[i * TinyDecoders.WIDTH + i] = 1;
    }
    TinyModel.Tensor matrix =
        new TinyModel.Tensor(Shape.of(TinyModels.VOCABULARY, TinyDecoders.WIDTH), identity);
    TinyModel open =
        model
            .without("lm_head.ALinear.weight")
            .without("lm_head.BLinear.weight")
            .withTensor("lm_head.weight", matrix);
    return PlainNetwork.logits(open, example);
  }

  private static double[] expected(TinyModel left, TinyModel right) {
    int n = TinyDecoders.WIDTH;
    double[] sums = new double[n * n];
    for (Example example : WINDOWS) {
      double[][] x = hidden(left, example);
      double[][] y = hidden(right, example);
      for (int t = 0; t < x.length; t++) {
        for (int i = 0; i < n * n; i++) {
          sums[i] += x[t][i / n] * y[t][i % n] / WINDOWS.size();
        }
      }
    }
    return sums;
  }

  private static void assertClose(double[] found, double[] expected) {
    double largest = 0;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    assertThat(found).containsExactly(expected, within(TOLERANCE * largest));
  }

  @Test
  void sumsOverAllPositionsButPadding() {
    Pair head = new Pair("lm_head.weight", "lm_head.BLinear.weight");
    for (int batch : new int[] {1, 3, 4}) {
      Grams found = get(collect(DENSE, FACTORS, batch, head), head);
      assertThat(found.size()).isEqualTo(TinyDecoders.WIDTH);
      assertClose(found.gram(), expected(FACTORS, FACTORS));
      assertClose(found.cross(), expected(DENSE, FACTORS));
    }
  }

  @Test
  void sharesWhatLayersReadTogether() {
    Pair query = new Pair(ATTENTION + "q_proj.weight", ATTENTION + "q_proj.BLinear.weight");
    Pair key = new Pair(ATTENTION + "k_proj.weight", ATTENTION + "k_proj.BLinear.weight");
    Pair output = new Pair(ATTENTION + "o_proj.weight", ATTENTION + "o_proj.BLinear.weight");
    for (int batch : new int[] {1, 4}) {
      Map<Pair, Grams> found = collect(DENSE, FACTORS, batch, query, output, key);
      assertThat(found.keySet()).containsExactly(query, output, key);
      assertThat(get(found, key)).isSameAs(get(found, query));
      Grams alone = get(collect(DENSE, FACTORS, batch, key), key);
      assertThat(get(found, key).gram()).isEqualTo(alone.gram());
      assertThat(get(found, key).cross()).isEqualTo(alone.cross());
      assertThat(get(found, output).size()).isNotEqualTo(alone.size());
    }
  }

  /** Only the first batch runs through the whole network. */
  @Test
  void endsForwardPassesEarlyWithoutChangingSums() {
    Pair early =
        new Pair(
            "model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.down_proj.BLinear.weight");
    Pair first =
        new Pair(
            "model.layers.0.self_attn.o_proj.weight",
            "model.layers.0.self_attn.o_proj.BLinear.weight");
    Map<Pair, Grams> atOnce = collect(DENSE, FACTORS, WINDOWS.size(), early, first);
    Map<Pair, Grams> oneByOne = collect(DENSE, FACTORS, 1, early, first);
    for (Pair pair : List.of(early, first)) {
      assertClose(get(oneByOne, pair).gram(), get(atOnce, pair).gram());
      assertClose(get(oneByOne, pair).cross(), get(atOnce, pair).cross());
    }
  }

  @Test
  void comesToLayersInTheOrderOfTheForwardPass() {
    Pair query = new Pair(ATTENTION + "q_proj.weight", ATTENTION + "q_proj.BLinear.weight");
    Pair value = new Pair(ATTENTION + "v_proj.weight", ATTENTION + "v_proj.BLinear.weight");
    Pair output = new Pair(ATTENTION + "o_proj.weight", ATTENTION + "o_proj.BLinear.weight");
    Pair head = new Pair("lm_head.weight", "lm_head.BLinear.weight");
    try (Network network = load(FACTORS, "stages")) {
      assertThat(
              PairedInputs.stages(
                  network, TestData.dataset(WINDOWS), List.of(head, value, output, query)))
          .containsExactly(List.of(query, value), List.of(output), List.of(head));
    }
  }

  @Test
  void isSymmetricForANetworkAndItself() {
    Pair same = new Pair(ATTENTION + "v_proj.weight", ATTENTION + "v_proj.weight");
    Grams found = get(collect(DENSE, DENSE, 2, same), same);
    assertThat(found.cross()).isEqualTo(found.gram());
  }

  @Test
  void refusesLayersThatAreNotThereOrDoNotFit() {
    assertThatThrownBy(
            () -> collect(DENSE, FACTORS, 1, new Pair("lm_head.weight", "model.norm.weight")))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("model.norm.weight");
    assertThatThrownBy(
            () ->
                collect(
                    DENSE,
                    FACTORS,
                    1,
                    new Pair("lm_head.weight", ATTENTION + "o_proj.BLinear.weight")))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("o_proj");
    assertThatThrownBy(() -> new Pair("lm_head.weight", "smelt.basis.3"))
        .isInstanceOf(MismatchException.class)
        .hasMessageContainingAll("smelt.basis.3", "each layer's own", "smelt expand");
  }
}
