package dev.smelt.compress.dampen;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.statistics.Statistics;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** What was written of a dampened model, by name. */
record DampenRun(
    Map<String, double[]> values,
    Map<String, byte[]> bytes,
    Map<String, TensorRecord> records,
    List<String> notes) {

  TensorRecord record(String name) {
    return Objects.requireNonNull(records.get(name), name);
  }

  TensorRecord.Dampened dampened(String name) {
    return Objects.requireNonNull(record(name).dampened(), name);
  }

  double[] of(String name) {
    return Objects.requireNonNull(values.get(name), name);
  }

  /** How a run is made. */
  record Setup(
      String config, Dampening how, NamePatterns names, Optional<DType> dtype, int threads) {

    static Setup of(double alpha, double lambda) {
      return new Setup("{}", new Dampening(alpha, lambda), NamePatterns.ALL, Optional.empty(), 1);
    }
  }

  static DampenRun of(
      Path folder,
      List<TestTensor> model,
      List<TestTensor> forget,
      List<TestTensor> retain,
      Setup setup) {
    Path source = TestCheckpoints.folder(folder.resolve("model"), setup.config(), model);
    Path target = folder.resolve("out");
    try (Checkpoint checkpoint = Checkpoint.open(source);
        Statistics f = Statistics.open(statistics(folder, "f", forget));
        Statistics r = Statistics.open(statistics(folder, "r", retain));
        DampenedModel dampened =
            DampenedModel.of(checkpoint, f, r, setup.how(), setup.names(), setup.dtype(), target)) {
      OutputOptions options = new OutputOptions(target, true, OutputOptions.DEFAULT_SHARD_BYTES);
      Map<String, TensorRecord> records = new LinkedHashMap<>();
      try (CheckpointWriter writer = CheckpointWriter.create(options, dampened.content())) {
        dampened
            .write(writer, setup.threads(), Progress.NONE)
            .forEach(record -> records.put(record.name(), record));
        writer.commitWithoutManifest();
      }
      try (Checkpoint written = Checkpoint.open(target)) {
        Map<String, double[]> values = new LinkedHashMap<>();
        Map<String, byte[]> bytes = new LinkedHashMap<>();
        for (TensorView tensor : written.tensors()) {
          // What a network would see before it is written is what is written.
          assertThat(dampened.tensor(tensor.name()).sameBits(tensor)).as(tensor.name()).isTrue();
          bytes.put(tensor.name(), tensor.segment().toArray(ValueLayout.JAVA_BYTE));
          if (tensor.dtype().isFloat()) {
            values.put(tensor.name(), tensor.toDoubles());
          }
        }
        return new DampenRun(values, bytes, records, dampened.notes());
      }
    }
  }

  private static Path statistics(Path folder, String name, List<TestTensor> diagonals) {
    List<TestTensor> named = new ArrayList<>();
    for (TestTensor tensor : diagonals) {
      named.add(tensor.renamed("diag/" + tensor.name()));
    }
    return TestCheckpoints.file(folder.resolve(name + ".safetensors"), named);
  }
}
