package dev.smelt.compress.spectrum;

import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpectrumAnalysisTest {

  private static final String LAYER = "transformer.h.0.mlp.c_fc.weight";
  private static final String TABLE = "transformer.wte.weight";
  private static final double[][] W = Plain.decaying(9, 14, 0.6, 1);

  @TempDir private Path folder;

  private Path model(String name, TestTensor... tensors) {
    return TestCheckpoints.folder(
        folder.resolve(name), "{\"model_type\": \"gpt2\"}", List.of(tensors));
  }

  private static List<MatrixSpectrum> spectra(Path model, NamePatterns selection) {
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      return SpectrumAnalysis.of(
          checkpoint, Optional.empty(), selection, TestDevice.get(), Progress.NONE);
    }
  }

  private static void assertSpectrum(MatrixSpectrum found, double[][] matrix) {
    double[] expected = Plain.singularValues(matrix);
    assertThat(found.singularValues()).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      assertThat(found.singularValues()[i]).isCloseTo(expected[i], within(1e-6 * expected[0]));
    }
  }

  @Test
  void matricesOfLayersUnlessOthersAreNamed() {
    Path model =
        model(
            "m",
            Plain.tensor(TABLE, Plain.random(6, 5, 2)),
            Plain.tensor(LAYER, W),
            f32("transformer.ln_f.weight", Shape.of(2), 1, 1));
    List<MatrixSpectrum> layers = spectra(model, NamePatterns.ALL);
    assertThat(layers).extracting(MatrixSpectrum::tensor).containsExactly(LAYER);
    assertSpectrum(layers.getFirst(), W);
    assertThat(spectra(model, new NamePatterns(List.of("*wte"), List.of())))
        .extracting(MatrixSpectrum::tensor)
        .containsExactly(TABLE);
    assertThatThrownBy(() -> spectra(model, new NamePatterns(List.of("*ln_f*"), List.of())))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no float matrix");
    assertThatThrownBy(() -> spectra(model, new NamePatterns(List.of(), List.of("*c_fc*"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no matrix to decompose");
  }

  @Test
  void smallSingularValuesAreNotRoundingOfSquares() {
    // σ falls to 1e-9 of the largest, below what a Gram matrix in f64 can tell from zero.
    double[][] steep = new double[4][4];
    for (int i = 0; i < 4; i++) {
      steep[i][i] = Math.pow(10, -3 * i);
    }
    MatrixSpectrum found =
        spectra(model("steep", Plain.tensor(LAYER, steep)), NamePatterns.ALL).getFirst();
    assertThat(found.conditionNumber()).isCloseTo(1e9, within(1e3));
  }

  @Test
  void tinyHugeAndZeroMatrices() {
    for (double scale : new double[] {1e-30, 1e30}) {
      MatrixSpectrum found =
          spectra(model("s" + scale, Plain.tensor(LAYER, Plain.scale(W, scale))), NamePatterns.ALL)
              .getFirst();
      assertThat(found.singularValues()[0])
          .isCloseTo(Plain.singularValues(W)[0] * scale, within(1e-5 * scale));
    }
    MatrixSpectrum zero =
        spectra(model("zero", Plain.tensor(LAYER, new double[3][4])), NamePatterns.ALL).getFirst();
    assertThat(zero.effectiveRank()).isZero();
  }

  @Test
  void changesToABase() {
    double[][] change = Plain.ofRank(9, 14, 2, 7);
    Path base = model("base", Plain.tensor(LAYER, W));
    Path tuned = model("tuned", Plain.tensor(LAYER, Plain.add(W, 1, change)));
    try (Checkpoint checkpoint = Checkpoint.open(tuned);
        Checkpoint start = Checkpoint.open(base)) {
      List<MatrixSpectrum> found =
          SpectrumAnalysis.of(
              checkpoint, Optional.of(start), NamePatterns.ALL, TestDevice.get(), Progress.NONE);
      assertSpectrum(found.getFirst(), change);
      assertThat(found.getFirst().rankFor(0.9999)).isEqualTo(2);
    }
    Path other = model("other", Plain.tensor(LAYER, Plain.random(3, 3, 1)));
    try (Checkpoint checkpoint = Checkpoint.open(tuned);
        Checkpoint start = Checkpoint.open(other)) {
      assertThatThrownBy(
              () ->
                  SpectrumAnalysis.of(
                      checkpoint,
                      Optional.of(start),
                      NamePatterns.ALL,
                      TestDevice.get(),
                      Progress.NONE))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(LAYER);
    }
  }

  @Test
  void whatCannotBeDecomposedIsRefused() {
    assertThatThrownBy(
            () -> spectra(model("nan", f32(LAYER, Shape.of(1, 2), 1, Float.NaN)), NamePatterns.ALL))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining(LAYER);
  }
}
