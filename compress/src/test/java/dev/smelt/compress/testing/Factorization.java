package dev.smelt.compress.testing;

import dev.smelt.compress.factorize.FactorizeOptions;
import dev.smelt.compress.factorize.FactorizedOutput;
import dev.smelt.compress.factorize.Factorizer;
import dev.smelt.compress.factorize.RankGrid;
import dev.smelt.compress.factorize.RankPolicy;
import dev.smelt.compress.factorize.SpectraFile;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.lowrank.RouteOptions;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
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
  public static final LayerSelection ALL = new LayerSelection(List.of(), List.of(), false);

  /** How a run is made. */
  public record Setup(FactorizeOptions options, RankPolicy policy) {

    public Setup as(DType dtype) {
      return with(
          new FactorizeOptions(
              options.metric(),
              options.selection(),
              options.grid(),
              options.routes(),
              Optional.of(dtype)));
    }

    public Setup evenIfLarger() {
      return on(new RankGrid(1, true));
    }

    public Setup on(RankGrid grid) {
      return with(
          new FactorizeOptions(
              options.metric(), options.selection(), grid, options.routes(), options.dtype()));
    }

    public Setup of(LayerSelection selection) {
      return with(
          new FactorizeOptions(
              options.metric(), selection, options.grid(), options.routes(), options.dtype()));
    }

    private Setup with(FactorizeOptions changed) {
      return new Setup(changed, policy);
    }

    public Factorization run(Path source, Path target) {
      OutputOptions output = OutputOptions.to(target);
      try (Checkpoint checkpoint = Checkpoint.open(source);
          Factorizer factorizer = Factorizer.open(checkpoint, options, TestDevice.get(), output)) {
        factorizer.decompose(policy, SpectraFile.Contents.none(), Progress.NONE);
        FactorizedOutput done = factorizer.finish(factorizer.fit(policy), policy, Progress.NONE);
        try (CheckpointWriter writer = CheckpointWriter.create(output, done.content())) {
          done.write(writer);
          writer.commitWithoutManifest();
        }
        return new Factorization(target, done.records(), done.notes());
      }
    }
  }

  public Factorization {
    records = List.copyOf(records);
    notes = List.copyOf(notes);
  }

  public static Setup plain(RankPolicy policy) {
    return with(new PlainMetric(), policy);
  }

  public static Setup with(Metric metric, RankPolicy policy) {
    return new Setup(
        new FactorizeOptions(
            metric, ALL, new RankGrid(1, false), RouteOptions.DEFAULT, Optional.empty()),
        policy);
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
