package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.factorize.FactoredModel.LayerState.Factored;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Decompositions that are kept, and what is wrong with those that are refused. */
class SpectraFileTest {

  private static final Map<String, String> FROM = Map.of("model", "00ff");

  @TempDir private Path folder;

  private Path model() {
    return TestCheckpoints.file(
        folder.resolve("in.safetensors"),
        List.of(
            Plain.tensor("a.weight", Plain.random(20, 12, 1)),
            Plain.tensor("b.weight", Plain.random(8, 30, 2))));
  }

  /** Factors as stored, by module, and how many layers had to be decomposed. */
  private record Outcome(List<byte[]> factors, List<String> fresh) {}

  private Outcome run(Path file, RankPolicy policy) {
    OutputOptions output = OutputOptions.to(folder.resolve("out.safetensors"));
    FactorizeOptions options = Factorization.plain(policy).options();
    try (Checkpoint checkpoint = Checkpoint.open(model());
        Factorizer factorizer = Factorizer.open(checkpoint, options, TestDevice.get(), output);
        SpectraFile.Contents known = SpectraFile.open(file, FROM)) {
      List<String> fresh = factorizer.decompose(policy, known, Progress.NONE);
      SpectraFile.write(file, factorizer, FROM);
      FactorizedOutput done = factorizer.finish(factorizer.fit(policy), policy, Progress.NONE);
      List<byte[]> factors =
          done.model().layers().values().stream()
              .map(state -> ((Factored) state).factors())
              .map(both -> both.b().segment().toArray(ValueLayout.JAVA_BYTE))
              .toList();
      return new Outcome(factors, fresh);
    }
  }

  @Test
  void aSecondRunDecomposesNothingAndGivesTheSame() {
    Path file = folder.resolve("spectra.safetensors");
    Outcome first = run(file, new TotalKeep(0.5));
    Outcome second = run(file, new TotalKeep(0.5));
    assertThat(first.fresh()).containsExactly("a", "b");
    assertThat(second.fresh()).isEmpty();
    assertThat(second.factors()).usingRecursiveComparison().isEqualTo(first.factors());
    Path none = folder.resolve("other.safetensors");
    assertThat(run(none, new UniformKeep(0.3)).factors())
        .usingRecursiveComparison()
        .isEqualTo(run(file, new UniformKeep(0.3)).factors());
  }

  @Test
  void whatDoesNotReachFarEnoughIsDecomposedAgain() {
    Path file = folder.resolve("spectra.safetensors");
    run(file, new UniformKeep(0.3));
    assertThat(run(file, new UniformKeep(0.6)).fresh()).containsExactly("a", "b");
    assertThat(run(file, new UniformKeep(0.5)).fresh()).isEmpty();
  }

  @Test
  void spectraOfSomethingElseAreRefused() {
    Path file = folder.resolve("spectra.safetensors");
    run(file, new UniformKeep(0.3));
    assertThatThrownBy(() -> SpectraFile.open(file, Map.of("model", "1234")))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("{\"model\":\"1234\"}")
        .hasMessageContaining("{\"model\":\"00ff\"}");
    assertThatThrownBy(() -> SpectraFile.open(model(), FROM))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("not a file of spectra");
  }

  @Test
  void aSpectrumOfAnotherShapeIsRefused() {
    Path file = folder.resolve("spectra.safetensors");
    run(file, new UniformKeep(0.3));
    TestCheckpoints.file(
        folder.resolve("in.safetensors"),
        List.of(Plain.tensor("a.weight", Plain.random(21, 12, 1))));
    OutputOptions output = OutputOptions.to(folder.resolve("out.safetensors"));
    RankPolicy policy = new UniformKeep(0.3);
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("in.safetensors"));
        Factorizer factorizer =
            Factorizer.open(
                checkpoint, Factorization.plain(policy).options(), TestDevice.get(), output);
        SpectraFile.Contents known = SpectraFile.open(file, FROM)) {
      assertThatThrownBy(() -> factorizer.decompose(policy, known, Progress.NONE))
          .isInstanceOf(CorruptException.class)
          .hasMessageContaining("expected a matrix of 21x12");
    }
  }

  /** Cut short or with a bit flipped in its header, the file is refused or still says the same. */
  @Test
  void brokenFilesAreRefused() throws IOException {
    Path file = folder.resolve("spectra.safetensors");
    run(file, new UniformKeep(0.3));
    byte[] whole = Files.readAllBytes(file);
    for (int length = 0; length < whole.length; length += 97) {
      Path cut = TestCheckpoints.write(folder.resolve("cut"), Arrays.copyOf(whole, length));
      Path named = Files.move(cut, folder.resolve("cut-" + length + ".safetensors"));
      assertThatThrownBy(() -> SpectraFile.open(named, FROM)).isInstanceOf(SmeltException.class);
    }
    SplittableRandom random = new SplittableRandom(3);
    int refused = 0;
    for (int i = 0; i < 200; i++) {
      byte[] flipped = whole.clone();
      flipped[random.nextInt(8, 600)] ^= (byte) (1 << random.nextInt(8));
      Path bad = TestCheckpoints.write(folder.resolve("flipped-" + i + ".safetensors"), flipped);
      try (SpectraFile.Contents known = SpectraFile.open(bad, FROM)) {
        assertThat(known).isNotNull();
      } catch (SmeltException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(100);
  }
}
