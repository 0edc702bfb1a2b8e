package dev.smelt.compress.testing;

import dev.smelt.compress.factorize.FactorizeOptions;
import dev.smelt.compress.factorize.Factorizer;
import dev.smelt.compress.factorize.LayerSelection;
import dev.smelt.compress.factorize.Metric;
import dev.smelt.compress.factorize.PlainMetric;
import dev.smelt.compress.factorize.RankPolicy;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.TensorRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A run of factorize, from a checkpoint to a checkpoint. */
public record Factorization(Path target, List<TensorRecord> records, List<String> notes) {

  /** All block matrices. */
  public static final LayerSelection ALL = new LayerSelection(List.of(), List.of());

  public Factorization {
    records = List.copyOf(records);
    notes = List.copyOf(notes);
  }

  public static FactorizeOptions plain(RankPolicy policy) {
    return with(new PlainMetric(), policy);
  }

  public static FactorizeOptions with(Metric metric, RankPolicy policy) {
    return new FactorizeOptions(metric, policy, ALL, Optional.empty(), false);
  }

  public static FactorizeOptions as(DType dtype, FactorizeOptions options) {
    return new FactorizeOptions(
        options.metric(),
        options.policy(),
        options.selection(),
        Optional.of(dtype),
        options.allowLarger());
  }

  public static FactorizeOptions evenIfLarger(FactorizeOptions options) {
    return new FactorizeOptions(
        options.metric(), options.policy(), options.selection(), options.dtype(), true);
  }

  public static FactorizeOptions of(LayerSelection selection, FactorizeOptions options) {
    return new FactorizeOptions(
        options.metric(), options.policy(), selection, options.dtype(), options.allowLarger());
  }

  public static Factorization run(Path source, Path target, FactorizeOptions options) {
    OutputOptions output = OutputOptions.to(target);
    try (Checkpoint checkpoint = Checkpoint.open(source);
        Factorizer factorizer =
            Factorizer.decompose(checkpoint, options, TestDevice.get(), output, Progress.NONE);
        CheckpointWriter writer = CheckpointWriter.create(output, factorizer.content())) {
      factorizer.write(writer);
      writer.commitWithoutManifest();
      return new Factorization(target, factorizer.records(), factorizer.notes());
    }
  }

  /** What became of a tensor of the input. */
  public TensorRecord record(String tensor) {
    return records.stream().filter(one -> one.name().equals(tensor)).findFirst().orElseThrow();
  }

  /** A·B of a module as written. */
  public double[][] product(String module) {
    try (Checkpoint written = Checkpoint.open(target)) {
      return Plain.multiply(
          Plain.rows(written.tensor(module + ".ALinear.weight")),
          Plain.rows(written.tensor(module + ".BLinear.weight")));
    }
  }
}
