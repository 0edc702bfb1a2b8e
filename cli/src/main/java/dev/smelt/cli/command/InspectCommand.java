package dev.smelt.cli.command;

import dev.smelt.cli.report.ReportFile;
import dev.smelt.cli.report.SpectrumReport;
import dev.smelt.cli.report.SpectrumTable;
import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.peft.Adapter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Shows what a checkpoint holds. Without {@code --stats} or {@code --spectrum} only headers are
 * read.
 */
@Command(
    name = "inspect",
    description = "Show a checkpoint's tensors, types, sizes and config.",
    footer = {
      "%nExamples:",
      "  smelt inspect model/ --stats",
      "  smelt inspect model/ --spectrum -o spectrum.html"
    })
public final class InspectCommand extends SmeltCommand {

  @Parameters(
      paramLabel = "CKPT",
      description = "A .safetensors or PyTorch file, a Hugging Face folder, or an adapter.")
  private Path path = Path.of("");

  @Option(
      names = "--stats",
      description = "Also read the values: smallest, largest, mean, deviation, zeros.")
  private boolean stats;

  @Mixin private SpectrumMixin spectrum = new SpectrumMixin();

  /** Everything shown, in stable keys. */
  record Report(
      String path,
      String kind,
      @Nullable String modelType,
      List<String> architectures,
      long parameters,
      long bytes,
      @Nullable Long packedBytes,
      Map<String, Long> bytesByDtype,
      int factorizedModules,
      int deltaModules,
      int int8Factors,
      Map<String, String> metadata,
      List<Row> tensors) {}

  /** One tensor. */
  record Row(
      String name,
      String dtype,
      String shape,
      String role,
      long bytes,
      @Nullable Long packedBytes,
      @Nullable TensorStatistics values) {}

  @Override
  protected Result execute() {
    spectrum.requireUse();
    if (spectrum.wanted()) {
      return spectra();
    }
    try (Checkpoint checkpoint = open()) {
      Report report = report(checkpoint);
      return Result.of(report, () -> text(report));
    }
  }

  private Result spectra() {
    if (stats) {
      throw new UsageException("--stats and --spectrum show different things", "give one of them");
    }
    Optional<ReportFile<SpectrumReport>> file = spectrum.file();
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      SpectrumReport report = spectrum.report(checkpoint, root());
      file.ifPresent(output -> output.write(report));
      return Result.of(
          report,
          () -> {
            String text = SpectrumTable.text(report, root().console().width());
            return file.map(output -> text + "\n" + output.path() + "\n").orElse(text);
          });
    }
  }

  /** Of an adapter the file is shown as it is, once everything about it has been checked. */
  private Checkpoint open() {
    return Adapter.isFolder(path) ? Adapter.open(path).weights() : Checkpoint.open(path);
  }

  private Report report(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    Map<String, Long> byDtype = new TreeMap<>();
    List<Row> rows = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      TensorInfo info = tensor.info();
      byDtype.merge(info.dtype().label(), info.bytes(), Long::sum);
      Optional<TensorStatistics> values =
          stats
              ? LowRank.find(checkpoint, info.name())
                  .filter(TensorView::holdsReals)
                  .map(TensorStatistics::of)
              : Optional.empty();
      rows.add(
          new Row(
              info.name(),
              info.dtype().label(),
              info.shape().toString(),
              architecture.role(info).name().toLowerCase(Locale.ROOT),
              info.bytes(),
              tensor.isPacked() ? tensor.fileBytes() : null,
              values.orElse(null)));
    }
    LowRank lowRank = LowRank.of(checkpoint);
    return new Report(
        path.toString(),
        checkpoint.kind(),
        checkpoint.config().flatMap(config -> config.text("model_type")).orElse(null),
        checkpoint.config().map(config -> config.architectures()).orElse(List.of()),
        checkpoint.parameters(),
        checkpoint.bytes(),
        checkpoint.isPacked() ? checkpoint.fileBytes() : null,
        byDtype,
        lowRank.modules().size(),
        deltas(lowRank),
        int8Factors(checkpoint, lowRank),
        checkpoint.metadata(),
        rows);
  }

  private static int deltas(LowRank lowRank) {
    return (int)
        lowRank.modules().values().stream()
            .filter(entry -> entry instanceof LowRank.Module module && module.delta())
            .count();
  }

  /** Of those that modules share, each once. */
  private static int int8Factors(Checkpoint checkpoint, LowRank lowRank) {
    Set<String> names = new HashSet<>();
    lowRank
        .pairs()
        .forEach(
            (module, pair) -> {
              names.add(pair.nameOfA(module));
              names.add(pair.nameOfB(module));
            });
    return (int)
        checkpoint.infos().stream()
            .filter(info -> info.dtype() == DType.I8 && names.contains(info.name()))
            .count();
  }

  private String text(Report report) {
    StringBuilder text = new StringBuilder();
    line(text, "path", report.path());
    line(text, "kind", report.kind());
    if (report.modelType() != null) {
      line(text, "model", report.modelType() + " " + String.join(", ", report.architectures()));
    }
    line(text, "tensors", Format.count(report.tensors().size()));
    line(text, "parameters", Format.count(report.parameters()));
    List<String> sizes = new ArrayList<>();
    report.bytesByDtype().forEach((dtype, bytes) -> sizes.add(dtype + " " + Format.bytes(bytes)));
    line(text, "size", Format.bytes(report.bytes()) + " (" + String.join(", ", sizes) + ")");
    Long packed = report.packedBytes();
    if (packed != null) {
      long tensors = report.tensors().stream().filter(row -> row.packedBytes() != null).count();
      line(text, "packed", Format.bytes(packed) + ", " + Format.plural(tensors, "tensor"));
    }
    if (report.factorizedModules() > 0) {
      String deltas =
          report.deltaModules() > 0
              ? ", " + report.deltaModules() + " of them a change of a stored matrix"
              : "";
      String ints =
          report.int8Factors() > 0 ? ", " + report.int8Factors() + " factors in int8" : "";
      line(text, "factorized", report.factorizedModules() + " modules" + deltas + ints);
    }
    report.metadata().forEach((key, value) -> line(text, "metadata", key + " = " + value));
    return text.append('\n')
        .append(
            (stats ? valuesTable(report) : table(report)).render(root().console().width(), false))
        .toString();
  }

  private TextTable table(Report report) {
    TextTable table = new TextTable("tensor");
    List.of("dtype", "shape", "role", "size").forEach(table::column);
    boolean packed = report.packedBytes() != null;
    if (packed) {
      table.column("packed");
    }
    for (Row row : report.tensors()) {
      List<String> texts =
          new ArrayList<>(List.of(row.dtype(), row.shape(), row.role(), Format.bytes(row.bytes())));
      if (packed) {
        Long bytes = row.packedBytes();
        texts.add(bytes == null ? "" : Format.bytes(bytes));
      }
      table.row(row.name(), cells(texts.toArray(String[]::new)));
    }
    return table;
  }

  private TextTable valuesTable(Report report) {
    TextTable table = new TextTable("tensor");
    List.of("dtype", "shape", "min", "max", "mean", "deviation", "zeros", "non-finite")
        .forEach(table::column);
    for (Row row : report.tensors()) {
      TensorStatistics values = row.values();
      table.row(
          row.name(),
          values == null
              ? cells(row.dtype(), row.shape(), "", "", "", "", "", "")
              : cells(
                  row.dtype(),
                  row.shape(),
                  number(values.min()),
                  number(values.max()),
                  number(values.mean()),
                  number(values.deviation()),
                  Format.count(values.zeros()),
                  Format.count(values.nonFinite())));
    }
    return table;
  }

  private static List<TextTable.Cell> cells(String... texts) {
    return Arrays.stream(texts).map(TextTable.Cell::plain).toList();
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.4g", value);
  }

  private static void line(StringBuilder text, String key, String value) {
    text.append(String.format("%-11s %s%n", key, value));
  }
}
