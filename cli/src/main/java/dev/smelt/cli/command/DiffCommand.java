package dev.smelt.cli.command;

import dev.smelt.cli.diff.ModelReports;
import dev.smelt.cli.diff.SharedBases;
import dev.smelt.cli.diff.TensorComparison;
import dev.smelt.cli.report.DiffReport;
import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.report.HtmlReport;
import dev.smelt.cli.report.MarkdownReport;
import dev.smelt.cli.report.ReportFile;
import dev.smelt.cli.report.TextReport;
import dev.smelt.compress.expand.DenseModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.GateException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.model.Architecture;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Says what a change cost in accuracy and saved in bytes. */
@Command(
    name = "diff",
    description = "Compare two checkpoints: size, accuracy on data, and every tensor.",
    footer = {
      "%nExamples:",
      "  smelt diff model/ small/",
      "  smelt diff model/ small/ --data val.txt --seq-len 256 -o report.html",
      "  smelt diff tuned/ adapter/ --base base/"
    })
public final class DiffCommand extends SmeltCommand {

  @Parameters(index = "0", paramLabel = "BEFORE", description = "The reference.")
  private Path before = Path.of("");

  @Parameters(index = "1", paramLabel = "AFTER", description = "What it became.")
  private Path after = Path.of("");

  @Option(
      names = "--also",
      paramLabel = "CKPT",
      description = "Further checkpoints for the table and the plot of accuracy against size.")
  private List<Path> also = new ArrayList<>();

  @Option(
      names = "--data",
      paramLabel = "D",
      description = {"Data to measure accuracy on; may be given several times:", DataMixin.KINDS})
  private List<Path> data = new ArrayList<>();

  @Mixin private BaseMixin base = new BaseMixin();

  @Mixin private DataMixin how = new DataMixin();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "REPORT",
      description = "Also write the report: .html, .md or .json.")
  private @Nullable Path target;

  @Option(names = "--overwrite", description = "Replace REPORT if it exists.")
  private boolean overwrite;

  @Option(
      names = "--max-loss-increase",
      paramLabel = "NATS",
      description = "Exit with 1 when the loss of AFTER is more than this above BEFORE.")
  private @Nullable Double maxLossIncrease;

  @Override
  protected Result execute() {
    if (maxLossIncrease != null && data.isEmpty()) {
      throw new UsageException("--max-loss-increase needs data", "add --data");
    }
    base.requireUse(Stream.concat(Stream.of(before, after), also.stream()).toList());
    if (data.isEmpty()) {
      how.refuseAsUseless("--data");
    }
    Optional<ReportFile<DiffReport>> file =
        Optional.ofNullable(target)
            .map(
                path -> ReportFile.of(path, overwrite, HtmlReport::render, MarkdownReport::render));
    DiffReport report = compare();
    file.ifPresent(output -> output.write(report));
    return new Result(report, () -> text(report, file), gate(report));
  }

  private DiffReport compare() {
    List<AutoCloseable> opened = new ArrayList<>();
    try (var _ = new ClosingAll(opened);
        LazyDevice device = new LazyDevice(root()::openDevice)) {
      List<String> notes = new ArrayList<>();
      Checkpoint left = open(before, device, opened, notes);
      Checkpoint right = open(after, device, opened, notes);
      ModelReports models =
          new ModelReports(
              data,
              how.options(),
              how.batch(),
              root().threads(),
              checkpoint -> how.load(checkpoint, device.get()),
              root().progress(),
              notes);
      Model leftModel = models.of(left);
      Model rightModel = models.of(right);
      List<Model> others = new ArrayList<>();
      for (Path other : also) {
        others.add(models.of(open(other, device, opened, notes)));
      }
      TensorComparison comparison = new TensorComparison(Architecture.of(left.config()), device);
      List<TensorDiff> tensors =
          comparison.compare(DenseModel.of(left), DenseModel.of(right), root().progress());
      return new DiffReport(
          leftModel,
          rightModel,
          others,
          tensors,
          SharedBases.of(right, tensors),
          Stream.concat(notes.stream(), notes(leftModel).stream()).toList(),
          List.of(root().commandLine()));
    }
  }

  private Checkpoint open(
      Path path, LazyDevice device, List<AutoCloseable> opened, List<String> notes) {
    Checkpoint checkpoint = base.open(path, device, root().progress());
    opened.add(checkpoint);
    notes.addAll(BaseMixin.notes(checkpoint));
    List<String> shared = SafetensorsCheckpoint.sharedFiles(path);
    if (!shared.isEmpty()) {
      notes.add(
          path
              + ": tensors in "
              + String.join(", ", shared)
              + " may be other models' as well, and are counted here in full");
    }
    return checkpoint;
  }

  private List<String> notes(Model reference) {
    List<String> notes = new ArrayList<>();
    if (reference.scores().size() > 1) {
      notes.add("loss and accuracy are means over the data sets; perplexity is exp of that loss");
    }
    for (DiffReport.Score score : reference.scores()) {
      String tokens =
          score.tokens() == null ? "" : String.format(Locale.ROOT, ", %,d tokens", score.tokens());
      notes.add(
          String.format(Locale.ROOT, "%s: %,d examples%s", score.data(), score.examples(), tokens));
    }
    return notes;
  }

  private Optional<GateException> gate(DiffReport report) {
    Double reference = report.before().loss();
    Double found = report.after().loss();
    if (maxLossIncrease == null || reference == null || found == null) {
      return Optional.empty();
    }
    double increase = found - reference;
    if (increase <= maxLossIncrease) {
      return Optional.empty();
    }
    return Optional.of(
        new GateException(
            "loss increased too much",
            after.toString(),
            String.format(Locale.ROOT, "by %.6f nats, allowed are %.6f", increase, maxLossIncrease),
            "compress less or raise --max-loss-increase"));
  }

  private String text(DiffReport report, Optional<ReportFile<DiffReport>> file) {
    String text = TextReport.render(report, root().console().width(), root().console().colour());
    return file.map(output -> text + "\n" + output.path() + "\n").orElse(text);
  }
}
