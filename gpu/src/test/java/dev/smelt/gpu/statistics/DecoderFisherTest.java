package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Factors;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.Compressed;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients of Llama's kin and of GPT-NeoX against central differences in f64. */
class DecoderFisherTest {

  /** f32 gradients against f64: difference over the largest value of the tensor. */
  private static final double TOLERANCE = 5e-5;

  /** Gradients that are 0 in exact arithmetic, such as those of a key's bias, stay below. */
  private static final double NEGLIGIBLE = 1e-9;

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);

  private static final List<Example> LABELLED = TestData.labelled(4, 6);

  @TempDir private Path folder;

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void agreesOnLanguageModels(String type) {
    TinyModel model = TinyDecoders.languageModel(type);
    assertFisher(model, WINDOWS, Labels.EMPIRICAL, PlainFisher.empirical(model, WINDOWS));
  }

  @ParameterizedTest
  @FieldSource("dev.smelt.gpu.plain.TinyDecoders#FAMILIES")
  void agreesOnClassifiers(String type) {
    TinyModel model = TinyDecoders.classifier(type);
    assertFisher(model, LABELLED, Labels.EXPECTED, PlainFisher.expected(model, LABELLED));
  }

  @Test
  void agreesOnFactors() {
    TinyModel model = Factors.ofEveryModule(TinyDecoders.languageModel("qwen2"));
    assertFisher(model, WINDOWS, Labels.EMPIRICAL, PlainFisher.empirical(model, WINDOWS));
  }

  @ParameterizedTest
  @ValueSource(strings = {"phi3", "gpt_neox"})
  void agreesOnParts(String type) {
    Compressed parts = Compressed.parts(TinyDecoders.languageModel(type), false);
    assertFisher(
        parts.stored(),
        WINDOWS,
        Labels.EMPIRICAL,
        PlainFisher.empirical(parts.stored(), parts::dense, WINDOWS));
  }

  private void assertFisher(
      TinyModel model, List<Example> examples, Labels labels, Map<String, double[]> expected) {
    double largest = expected.values().stream().mapToDouble(this::largest).max().orElseThrow();
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder));
        Network network = Network.load(checkpoint, TestDevice.get())) {
      for (int batch : new int[] {1, examples.size()}) {
        Map<String, double[]> diagonal = Estimates.diagonal(network, examples, labels, batch, 0);
        assertThat(diagonal).hasSameSizeAs(expected);
        diagonal.forEach(
            (name, found) -> {
              double[] values = expected.getOrDefault(name, new double[0]);
              double allowed = Math.max(TOLERANCE * largest(values), NEGLIGIBLE * largest);
              assertThat(found).as(name).hasSameSizeAs(values);
              for (int i = 0; i < found.length; i++) {
                assertThat(found[i]).as(name + " " + i).isCloseTo(values[i], within(allowed));
              }
            });
      }
    }
  }

  private double largest(double[] values) {
    double largest = 0;
    for (double value : values) {
      largest = Math.max(largest, value);
    }
    return largest;
  }
}
