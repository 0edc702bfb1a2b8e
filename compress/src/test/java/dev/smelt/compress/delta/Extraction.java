package dev.smelt.compress.delta;

import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.peft.AdapterWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One run of extraction from model and base on disk to an adapter on disk. */
record Extraction(Path adapter, List<TensorRecord> records, List<String> notes) {

  static DeltaOptions options(DeltaRank rank) {
    return new DeltaOptions(
        new PlainMetric(), rank, false, NamePatterns.ALL, Optional.empty(), false);
  }

  static DeltaOptions larger(DeltaRank rank) {
    return new DeltaOptions(
        new PlainMetric(), rank, false, NamePatterns.ALL, Optional.of(DType.F32), true);
  }

  static DeltaOptions uniform(DeltaRank rank) {
    return new DeltaOptions(
        new PlainMetric(), rank, true, NamePatterns.ALL, Optional.empty(), false);
  }

  static DeltaOptions in(Metric metric, DeltaRank rank) {
    return new DeltaOptions(metric, rank, false, NamePatterns.ALL, Optional.empty(), false);
  }

  static Extraction run(Path model, Path base, Path target, DeltaOptions options) {
    try (Checkpoint tuned = Checkpoint.open(model);
        Checkpoint original = Checkpoint.open(base);
        Delta delta =
            Delta.between(tuned, original, options, TestDevice.get(), target, Progress.NONE);
        AdapterWriter writer = AdapterWriter.create(target, false, delta.content("base"))) {
      delta.write(writer);
      writer.commit(
          Manifest.of(
              "test",
              "delta",
              Map.of(),
              List.of(),
              new Manifest.Totals(0, 0, 0, 0),
              delta.records(),
              delta.notes()));
      return new Extraction(target, delta.records(), delta.notes());
    }
  }

  TensorRecord record(String tensor) {
    return records.stream()
        .filter(record -> record.name().equals(tensor))
        .findFirst()
        .orElseThrow();
  }

  AdaptedModel on(Path base) {
    return AdaptedModel.open(
        adapter,
        base,
        Optional.empty(),
        new AdaptedModel.Work(TestDevice::get, adapter, Progress.NONE));
  }
}
