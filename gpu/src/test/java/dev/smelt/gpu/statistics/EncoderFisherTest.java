package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Factors;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.Compressed;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fisher information of encoders against central differences of plain forward passes. */
class EncoderFisherTest {

  /** f32 gradients against f64, per tensor: norm of the difference over norm. */
  private static final double TOLERANCE = 2e-5;

  /** Norms below this share of the largest are rounding, as of a key's bias. */
  private static final double NEGLIGIBLE = 1e-9;

  private static final List<Example> MASKED = TestData.masked(1, 7, 3);

  private static final List<Example> LABELLED = TestData.labelled(1, 7, 4);

  private static final List<Example> IMAGES = TinyEncoders.images(2);

  @TempDir private Path folder;

  private void assertFisher(TinyModel model, List<Example> examples) {
    assertFisher(model, examples, PlainFisher.empirical(model, examples));
  }

  private void assertFisher(
      TinyModel model, List<Example> examples, Map<String, double[]> expected) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder));
        Network network = Network.load(checkpoint, TestDevice.get())) {
      for (int batch : new int[] {1, examples.size()}) {
        assertSame(Estimates.diagonal(network, examples, Labels.EMPIRICAL, batch, 0), expected);
      }
    }
  }

  private static void assertSame(Map<String, double[]> found, Map<String, double[]> expected) {
    assertThat(found.keySet()).containsExactlyInAnyOrderElementsOf(expected.keySet());
    double largest =
        expected.values().stream().mapToDouble(EncoderFisherTest::norm).max().orElseThrow();
    expected.forEach(
        (name, values) -> {
          double[] difference = found.getOrDefault(name, new double[0]).clone();
          assertThat(difference).as(name).hasSameSizeAs(values);
          for (int i = 0; i < values.length; i++) {
            difference[i] -= values[i];
          }
          assertThat(norm(difference))
              .as(name)
              .isLessThan(Math.max(TOLERANCE * norm(values), NEGLIGIBLE * largest));
        });
  }

  private static double norm(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  @Test
  void ofMaskedModels() {
    assertFisher(TinyEncoders.bertMasked(), MASKED);
    assertFisher(TinyEncoders.robertaMasked(), MASKED);
    assertFisher(TinyEncoders.distilBertMasked(), MASKED);
  }

  @Test
  void ofClassifiersOfText() {
    assertFisher(TinyEncoders.roberta(), LABELLED);
    assertFisher(TinyEncoders.distilBert(), LABELLED);
  }

  @Test
  void ofClassifiersOfImages() {
    assertFisher(TinyEncoders.vit(), IMAGES);
  }

  @Test
  void ofFactors() {
    assertFisher(Factors.ofEveryModule(TinyEncoders.vit()), IMAGES);
  }

  @Test
  void ofFactorsOfConvolutions() {
    Compressed factors =
        Compressed.factors(TinyEncoders.vit(), "vit.embeddings.patch_embeddings.projection");
    TinyModel stored = factors.stored();
    assertFisher(stored, IMAGES, PlainFisher.empirical(stored, factors::dense, IMAGES));
  }

  @Test
  void ofExpectedLabels() {
    TinyModel vit = TinyEncoders.vit();
    try (Checkpoint checkpoint = Checkpoint.open(vit.write(folder));
        Network network = Network.load(checkpoint, TestDevice.get())) {
      assertSame(
          Estimates.diagonal(network, IMAGES, Labels.EXPECTED, 2, 0),
          PlainFisher.expected(vit, IMAGES));
    }
  }

  /** A convolution is the matrix [8, 3·2·3] of its patches; what is only added is no matrix. */
  @Test
  void sumsUpConvolutionsAsMatrices() {
    TinyModel vit = TinyEncoders.vit();
    Set<Statistic> statistics = EnumSet.of(Statistic.ROWS, Statistic.COLS, Statistic.INPUT_GRAM);
    Map<String, double[]> found;
    try (Checkpoint checkpoint = Checkpoint.open(vit.write(folder));
        Network network = Network.load(checkpoint, TestDevice.get())) {
      found =
          Estimates.of(
              network,
              TestData.dataset(IMAGES),
              new FisherOptions(
                  statistics, Labels.EMPIRICAL, 0, BatchSize.exactly(2), OptionalDouble.empty()));
    }
    String module = "vit.embeddings.patch_embeddings.projection";
    double[] diagonal =
        PlainFisher.empirical(vit, IMAGES).getOrDefault(module + ".weight", new double[0]);
    double[] rows = new double[8];
    double[] columns = new double[18];
    for (int i = 0; i < diagonal.length; i++) {
      rows[i / 18] += diagonal[i];
      columns[i % 18] += diagonal[i];
    }
    assertClose(found, "rows/" + module, rows);
    assertClose(found, "cols/" + module, columns);
    assertClose(found, "input_gram/" + module, gramOfPatches());
    assertThat(found.keySet()).noneMatch(name -> name.contains("cls_token"));
    assertThat(found.keySet()).noneMatch(name -> name.contains("position_embeddings"));
  }

  /** (1/N) Σ x xᵀ over the 2×3 patches of 3×4×9 images, which do not overlap. */
  private static double[] gramOfPatches() {
    double[] gram = new double[18 * 18];
    for (Example image : IMAGES) {
      float[] pixels = new float[3 * 4 * 9];
      ((Example.Values) image).source().read(pixels, 0);
      for (int patch = 0; patch < 6; patch++) {
        double[] x = new double[18];
        for (int i = 0; i < 18; i++) {
          int row = patch / 3 * 2 + i / 3 % 2;
          int column = patch % 3 * 3 + i % 3;
          x[i] = pixels[(i / 6 * 4 + row) * 9 + column];
        }
        for (int i = 0; i < gram.length; i++) {
          gram[i] += x[i / 18] * x[i % 18] / IMAGES.size();
        }
      }
    }
    return gram;
  }

  private static void assertClose(Map<String, double[]> found, String name, double[] expected) {
    assertSame(Map.of(name, found.getOrDefault(name, new double[0])), Map.of(name, expected));
  }
}
