package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.prune.Magnitude;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.network.Logits;
import dev.smelt.gpu.plain.PlainNetwork;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is left computes what the whole network does when the parts that are gone add nothing. */
class EquivalenceTest {

  /** f32 against f64, relative to the largest logit of an example. */
  private static final double TOLERANCE = 1e-5;

  @TempDir private Path folder;

  static List<String> families() {
    return Families.names();
  }

  static Stream<String> familiesWithHeads() {
    return Families.names().stream().filter(name -> !name.equals("gpt_neox"));
  }

  @ParameterizedTest
  @MethodSource("families")
  void neurons(String name) {
    Families whole = Families.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        ShrunkModel shrunk = shrink(checkpoint, StructurePattern.NEURONS, 0.4)) {
      Families zeroed = whole;
      for (int block = 0; block < Families.LAYERS; block++) {
        Removal removal = shrunk.removals().get(block);
        assertThat(removal.of()).isEqualTo(whole.inner());
        assertThat(removal.count()).isEqualTo(whole.inner() * 2 / 5);
        zeroed = zeroed.withoutNeurons(block, removal.gone());
      }
      assertSame(shrunk, zeroed);
    }
  }

  @ParameterizedTest
  @MethodSource("familiesWithHeads")
  void heads(String name) {
    Families whole = Families.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        ShrunkModel shrunk = shrink(checkpoint, StructurePattern.HEADS, 0.5)) {
      Families zeroed = whole;
      for (int block = 0; block < Families.LAYERS; block++) {
        Removal removal = shrunk.removals().get(block);
        assertThat(removal.of()).isEqualTo(2);
        assertThat(removal.count()).isEqualTo(1);
        zeroed = zeroed.withoutHeads(block, removal.of(), removal.gone());
      }
      assertSame(shrunk, zeroed);
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void blocks(String name) {
    Families whole = Families.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        ShrunkModel shrunk = shrink(checkpoint, StructurePattern.BLOCKS, 0.5)) {
      List<Integer> gone = shrunk.removals().getFirst().gone();
      assertThat(gone).hasSize(2);
      if (!whole.postNorm()) {
        assertSame(shrunk, whole.withSilentBlocks(gone));
      } else {
        assertSame(shrunk, whole.withoutBlocks(gone));
      }
    }
  }

  private ShrunkModel shrink(Checkpoint checkpoint, StructurePattern pattern, double sparsity) {
    return StructuredPruner.open(
            checkpoint,
            StructureOptions.of(pattern),
            new UnitScoring.Summed(new Magnitude()),
            OutputOptions.to(folder.resolve("small")),
            1,
            Progress.NONE)
        .shrink(sparsity);
  }

  /** Before it is written and after. */
  private void assertSame(ShrunkModel shrunk, Families expected) {
    assertLogits(shrunk, expected);
    OutputOptions output = OutputOptions.to(folder.resolve("small"));
    try (CheckpointWriter writer = CheckpointWriter.create(output, shrunk.content())) {
      var _ = shrunk.write(writer, 1, Progress.NONE);
      writer.commitWithoutManifest();
    }
    try (Checkpoint written = Checkpoint.open(output.target())) {
      assertThat(written.parameters()).isEqualTo(shrunk.parameters());
      assertLogits(written, expected);
    }
  }

  static void assertLogits(Checkpoint found, Families expected) {
    List<float[]> logits = Logits.of(found, expected.examples());
    for (int e = 0; e < logits.size(); e++) {
      double[][] rows = PlainNetwork.logits(expected.model(), expected.examples().get(e));
      double[] plain = Stream.of(rows).flatMapToDouble(java.util.Arrays::stream).toArray();
      double largest = java.util.Arrays.stream(plain).map(Math::abs).max().orElseThrow();
      assertThat(largest).isPositive();
      assertThat(logits.get(e)).hasSize(plain.length);
      for (int i = 0; i < plain.length; i++) {
        assertThat((double) logits.get(e)[i])
            .as("logit %d of example %d", i, e)
            .isCloseTo(plain[i], within(TOLERANCE * largest));
      }
    }
  }
}
