package dev.smelt.cli.command;

import dev.smelt.cli.Version;
import dev.smelt.cli.diff.DataNotes;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Fisher;
import dev.smelt.gpu.statistics.FisherEstimator;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Provenance;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Computes a model's Fisher information on data. */
@Command(
    name = "fisher",
    description = "Compute the diagonal Fisher information of a model on data.",
    footer = {
      "%nF = (1/N) Σₙ gₙ ⊙ gₙ over examples, gₙ the gradient of the log-likelihood of example n.",
      "%nExample:",
      "  smelt fisher model/ --data train.txt --seq-len 128 --samples 256 -o F.safetensors"
    })
public final class FisherCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "The model's folder.")
  private Path path = Path.of("");

  @Option(
      names = "--data",
      paramLabel = "D",
      required = true,
      description = "Data: .txt, .jsonl or .tsv.")
  private Path data = Path.of("");

  @Option(
      names = {"-o", "--output"},
      paramLabel = "F",
      required = true,
      description = "The statistics file to write, ending in .safetensors.")
  private Path target = Path.of("");

  @Option(names = "--overwrite", description = "Replace F if it exists.")
  private boolean overwrite;

  @Option(
      names = "--labels",
      paramLabel = "empirical|sampled|expected",
      description =
          "Labels of the data; drawn from the model's prediction; or the exact expectation over"
              + " classes (empirical).")
  private Labels labels = Labels.EMPIRICAL;

  @Option(names = "--seed", paramLabel = "SEED", description = "Of --labels sampled (0).")
  private @Nullable Long seed;

  @Mixin private DataMixin how = new DataMixin();

  /** In stable keys. */
  record Report(
      String model,
      String data,
      String labels,
      long examples,
      long tokens,
      double seconds,
      String output,
      List<String> notes) {}

  @Override
  protected Result execute() {
    OutputOptions options = new OutputOptions(target, overwrite, OutputOptions.DEFAULT_SHARD_BYTES);
    if (!options.isSingleFile()) {
      throw new UsageException(
          "statistics are one file, found -o " + target, "end its name in .safetensors");
    }
    if (seed != null && labels != Labels.SAMPLED) {
      throw new UsageException("--seed has no effect without --labels sampled", "leave it out");
    }
    options.requireWritable(List.of(path, data));
    try (Checkpoint checkpoint = Checkpoint.open(path);
        ComputeDevice device = root().openDevice();
        Network network = Network.load(checkpoint, device)) {
      Dataset dataset = how.read(data, checkpoint, network);
      FisherOptions what = new FisherOptions(labels, how.batch(), seed == null ? 0 : seed);
      Fisher found = FisherEstimator.diagonal(network, dataset, what, root().progress());
      Statistics.write(options, found, provenance(checkpoint, dataset, found, what, device));
      Report report =
          new Report(
              path.toString(),
              data.toString(),
              labels.toString(),
              found.examples(),
              found.tokens(),
              found.seconds(),
              target.toString(),
              DataNotes.of(network, dataset));
      return Result.of(report, () -> text(report));
    }
  }

  private Provenance provenance(
      Checkpoint checkpoint,
      Dataset dataset,
      Fisher found,
      FisherOptions what,
      ComputeDevice device) {
    return new Provenance(
        Optional.of(Statistics.DIAGONAL_FISHER),
        Optional.of(what.labels()),
        OptionalLong.of(found.examples()),
        OptionalLong.of(found.tokens()),
        dataset.seqLen(),
        what.labels() == Labels.SAMPLED ? OptionalLong.of(what.seed()) : OptionalLong.empty(),
        Optional.of(ContentHash.of(checkpoint, root().threads())),
        Optional.of(dataset.sha256()),
        OptionalLong.of(what.batch()),
        Optional.of(device.description()),
        Optional.of(Version.text()));
  }

  private static String text(Report report) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%s Fisher information of %s: %,d examples, %,d tokens, %.2f s, %.1f examples/s%n",
            report.labels(),
            report.model(),
            report.examples(),
            report.tokens(),
            report.seconds(),
            report.examples() / report.seconds()));
    report.notes().forEach(note -> text.append(note).append('\n'));
    return text.append(report.output()).append('\n').toString();
  }
}
