package dev.smelt.cli.command;

import dev.smelt.cli.Version;
import dev.smelt.cli.diff.DataNotes;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Estimate;
import dev.smelt.gpu.statistics.FisherEstimator;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Provenance;
import dev.smelt.gpu.statistics.Saving;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Computes a model's Fisher information on data. */
@Command(
    name = "fisher",
    description = "Compute statistics of a model on data: Fisher information, Gram matrices.",
    footer = {
      "%ndiag: F = (1/N) Σₙ gₙ ⊙ gₙ over examples, gₙ the gradient of the log-likelihood of example"
          + " n; rows, cols: its sums over a matrix; input-gram, grad-gram: (1/N) Σ x xᵀ and"
          + " (1/N) Σ δ δᵀ over the inputs x of a layer and the gradients δ of its outputs;"
          + " input-norms: the diagonal of input-gram; contribution: the mean share of each weight"
          + " in its output; entropy: of the hidden states between blocks.",
      "%nExample:",
      "  smelt fisher model/ --data train.txt --seq-len 128 --samples 256 -o F.safetensors"
    })
public final class FisherCommand extends SmeltCommand {

  @Parameters(
      paramLabel = "CKPT",
      description = "The model: a folder; with --script any checkpoint.")
  private Path path = Path.of("");

  @Option(
      names = "--data",
      paramLabel = "D",
      required = true,
      description = "Data: " + DataMixin.KINDS)
  private Path data = Path.of("");

  @Option(
      names = {"-o", "--output"},
      paramLabel = "F",
      required = true,
      description = "The statistics file to write, ending in .safetensors.")
  private Path target = Path.of("");

  @Option(names = "--overwrite", description = "Replace F if it exists.")
  private boolean overwrite;

  @Mixin private StatisticsMixin what = new StatisticsMixin();

  @Mixin private DataMixin how = new DataMixin();

  /**
   * In stable keys.
   *
   * @param relativeStandardError of the Fisher information, weighted over tensors; null with fewer
   *     than two batches
   */
  record Report(
      String model,
      String data,
      List<String> statistics,
      String labels,
      long examples,
      @Nullable Long tokens,
      double seconds,
      int batch,
      @Nullable Double relativeStandardError,
      String output,
      List<String> notes) {}

  @Override
  protected Result execute() {
    OutputOptions options = new OutputOptions(target, overwrite, OutputOptions.DEFAULT_SHARD_BYTES);
    if (!options.isSingleFile()) {
      throw new UsageException(
          "statistics are one file, found -o " + target, "end its name in .safetensors");
    }
    options.requireWritable(Stream.concat(Stream.of(path, data), how.script().stream()).toList());
    try (Checkpoint checkpoint = Checkpoint.open(path);
        ComputeDevice device = root().openDevice();
        Network network = how.load(checkpoint, device)) {
      Dataset dataset = how.read(data, checkpoint, network);
      FisherOptions chosen = what.options(how.givenBatch(), device);
      String model = ContentHash.of(checkpoint, root().threads());
      Saving saving = what.saving(target, identity(model, dataset, chosen));
      if (overwrite && !what.resume()) {
        FisherEstimator.forget(saving);
      }
      try (Estimate found =
          FisherEstimator.estimate(network, dataset, chosen, saving, root().progress())) {
        Statistics.write(options, found, provenance(model, dataset, found, chosen, device));
        FisherEstimator.forget(saving);
        Report report = report(network, dataset, found, chosen);
        return Result.of(report, () -> text(report));
      }
    }
  }

  /** What a run must agree in with one that it continues. */
  private Map<String, String> identity(String model, Dataset dataset, FisherOptions chosen) {
    Map<String, String> identity = new TreeMap<>(how.given());
    identity.put("model", model);
    identity.put("script", how.script().map(Hashing::sha256).orElse("none"));
    identity.put("data", dataset.sha256());
    identity.put("examples", String.valueOf(dataset.examples().size()));
    identity.put("statistics", chosen.statistics().toString());
    identity.put("labels", chosen.labels().toString());
    identity.put("seed", String.valueOf(chosen.seed()));
    return identity;
  }

  private Report report(Network network, Dataset dataset, Estimate found, FisherOptions chosen) {
    List<String> notes = new ArrayList<>(DataNotes.of(network, dataset));
    Estimate.Course course = found.course();
    if (course.continuedAt() > 0) {
      notes.add("continued at example %,d".formatted(course.continuedAt()));
    } else if (what.resume()) {
      notes.add("there was no work to resume: began with the first example");
    }
    if (course.examples() < dataset.examples().size()) {
      notes.add(
          "stopped after %,d of %,d examples: precise enough"
              .formatted(course.examples(), dataset.examples().size()));
    }
    notes.addAll(course.notes());
    OptionalDouble error = found.precision().overall();
    return new Report(
        path.toString(),
        data.toString(),
        chosen.statistics().stream().map(Statistic::toString).toList(),
        chosen.labels().toString(),
        course.examples(),
        DataNotes.tokens(course.tokens()),
        course.seconds(),
        course.batch(),
        error.isPresent() ? error.getAsDouble() : null,
        target.toString(),
        notes);
  }

  private static Provenance provenance(
      String model, Dataset dataset, Estimate found, FisherOptions chosen, ComputeDevice device) {
    Estimate.Course course = found.course();
    return new Provenance(
        Optional.of(Statistics.FISHER),
        Optional.of(chosen.labels()),
        OptionalLong.of(course.examples()),
        course.tokens() > 0 ? OptionalLong.of(course.tokens()) : OptionalLong.empty(),
        dataset.seqLen(),
        chosen.labels() == Labels.SAMPLED ? OptionalLong.of(chosen.seed()) : OptionalLong.empty(),
        Optional.of(model),
        Optional.of(dataset.sha256()),
        OptionalLong.of(course.batch()),
        Optional.of(device.description()),
        Optional.of(found.precision()),
        Optional.of(Version.text()));
  }

  private static String text(Report report) {
    StringBuilder text = new StringBuilder();
    Long tokens = report.tokens();
    text.append(
        String.format(
            Locale.ROOT,
            "%s of %s, %s labels: %,d examples%s, %.2f s, %.1f examples/s%n",
            String.join(", ", report.statistics()),
            report.model(),
            report.labels(),
            report.examples(),
            tokens == null ? "" : String.format(Locale.ROOT, ", %,d tokens", tokens),
            report.seconds(),
            report.examples() / report.seconds()));
    Double error = report.relativeStandardError();
    if (error != null) {
      text.append(
          String.format(
              Locale.ROOT,
              "relative standard error of the Fisher information %.1f %%%n",
              100 * error));
    }
    report.notes().forEach(note -> text.append(note).append('\n'));
    return text.append(report.output()).append('\n').toString();
  }
}
