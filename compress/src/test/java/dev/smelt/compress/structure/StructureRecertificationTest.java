package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.LeftOutRecord;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Models as they were written, taken apart by the numbers of what they lack. */
class StructureRecertificationTest {

  @TempDir private Path folder;

  static List<String> families() {
    return Families.names();
  }

  @ParameterizedTest
  @MethodSource("families")
  void whatWasWrittenIsWhatTheNumbersSay(String name) {
    try (Checkpoint original =
        Checkpoint.open(Families.of(name).model().write(folder.resolve("whole")))) {
      for (StructurePattern pattern : StructurePattern.values()) {
        if (pattern == StructurePattern.HEADS && name.equals("gpt_neox")) {
          continue;
        }
        for (Optional<DType> dtype : List.of(Optional.<DType>empty(), Optional.of(DType.BF16))) {
          try (ShrunkModel shrunk =
              shrink(original, pattern, dtype, new UnitScoring.Summed(new Magnitude()))) {
            Map<String, List<Integer>> gone = gone(shrunk);
            assertThat(gone).hasSize(pattern == StructurePattern.BLOCKS ? 1 : Families.LAYERS);
            StructureRecertification all = StructureRecertification.of(original, pattern, dtype);
            assertHolds(all.without(gone), shrunk);
            assertThat(leftAsThey(all.without(others(shrunk, gone)), shrunk)).isFalse();
          }
        }
      }
    }
  }

  private static Map<String, List<Integer>> gone(ShrunkModel shrunk) {
    Map<String, List<Integer>> gone = new HashMap<>();
    for (LeftOutRecord record : shrunk.unitsLeftOut()) {
      assertThat(record.pattern()).isEqualTo(shrunk.pattern().toString());
      gone.put(record.layer(), record.indices());
    }
    return gone;
  }

  /** As many, but in the first layer one unit in place of another. */
  private static Map<String, List<Integer>> others(
      ShrunkModel shrunk, Map<String, List<Integer>> gone) {
    Removal first = shrunk.removals().getFirst();
    List<Integer> other = new ArrayList<>(first.gone());
    int unit = 0;
    while (other.contains(unit)) {
      unit++;
    }
    other.removeLast();
    other.add(unit);
    Map<String, List<Integer>> changed = new HashMap<>(gone);
    changed.put(first.layer(), other.stream().sorted().toList());
    return changed;
  }

  private void assertHolds(StructureRecertification.Without expected, ShrunkModel shrunk) {
    OutputOptions output =
        new OutputOptions(folder.resolve("small"), true, OutputOptions.DEFAULT_SHARD_BYTES);
    try (CheckpointWriter writer = CheckpointWriter.create(output, shrunk.content())) {
      List<TensorRecord> records = shrunk.write(writer, 1, Progress.NONE);
      writer.commitWithoutManifest();
      assertThat(expected.tensors())
          .extracting(StructureRecertification.Tensor::action)
          .containsExactlyElementsOf(records.stream().map(TensorRecord::action).toList());
    }
    try (Checkpoint written = Checkpoint.open(output.target())) {
      assertThat(expected.config()).isEqualTo(written.config().orElseThrow());
      assertThat(expected.tensors().stream().flatMap(one -> one.output().stream()).toList())
          .containsExactlyInAnyOrderElementsOf(written.infos());
      assertThat(leftAsThey(expected, written)).isTrue();
    }
  }

  private static boolean leftAsThey(StructureRecertification.Without expected, Checkpoint written) {
    return expected.tensors().stream()
        .filter(one -> one.output().isPresent())
        .allMatch(
            one -> {
              TensorInfo output = one.output().orElseThrow();
              return written.find(output.name()).filter(one::isLeft).isPresent();
            });
  }

  private ShrunkModel shrink(
      Checkpoint original, StructurePattern pattern, Optional<DType> dtype, UnitScoring scoring) {
    return StructuredPruner.open(
            original,
            new StructureOptions(pattern, 1, false, dtype),
            scoring,
            OutputOptions.to(folder.resolve("small")),
            1,
            Progress.NONE)
        .shrink(0.5);
  }

  /** The error of what was fitted, and of what was not, which is larger. */
  @ParameterizedTest
  @CsvSource({"gpt2, 40", "llama, 3", "vit, 40"})
  void errorsOfOutputsAreThoseOfTheRecords(String name, int examples) {
    Families whole = Families.of(name);
    GramFile grams = new GramFile();
    for (int block = 0; block < Families.LAYERS; block++) {
      String weight = whole.name(block, whole.down());
      String module = weight.substring(0, weight.length() - ".weight".length());
      grams.add(module, whole.inner(), examples);
    }
    try (Checkpoint original = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        Statistics statistics = Statistics.open(grams.write(folder.resolve("F.safetensors")));
        ShrunkModel shrunk =
            shrink(
                original,
                StructurePattern.NEURONS,
                Optional.empty(),
                new UnitScoring.Surgeon(new InputGram(statistics, 0.01), TestDevice.get()))) {
      Map<String, TensorRecord> records = new HashMap<>();
      shrunk.records().forEach(record -> records.put(record.name(), record));
      int fitted = 0;
      for (StructureRecertification.Tensor tensor :
          StructureRecertification.of(original, StructurePattern.NEURONS, Optional.empty())
              .without(gone(shrunk))
              .tensors()) {
        TensorView written = shrunk.tensor(tensor.name());
        OptionalDouble error = tensor.outputError(written, statistics, TestDevice.get());
        Double recorded =
            Objects.requireNonNull(records.get(tensor.name())).weightedRelativeError();
        assertThat(error.isPresent()).isEqualTo(recorded != null);
        assertThat(tensor.isLeft(written)).isEqualTo(recorded == null);
        if (recorded != null) {
          assertThat(error.getAsDouble()).isCloseTo(recorded, within(1e-9));
          assertThat(tensor.change(written)).isPositive();
          fitted++;
        } else {
          assertThat(tensor.change(written)).isZero();
        }
      }
      assertThat(fitted).isEqualTo(Families.LAYERS);
    }
  }
}
