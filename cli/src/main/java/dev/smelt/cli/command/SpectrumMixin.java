package dev.smelt.cli.command;

import dev.smelt.cli.Smelt;
import dev.smelt.cli.report.ReportFile;
import dev.smelt.cli.report.SpectrumMarkdown;
import dev.smelt.cli.report.SpectrumPage;
import dev.smelt.cli.report.SpectrumReport;
import dev.smelt.cli.report.SpectrumReport.Point;
import dev.smelt.compress.spectrum.MatrixSpectrum;
import dev.smelt.compress.spectrum.SpectrumAnalysis;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of {@code inspect --spectrum}, and its work. */
final class SpectrumMixin {

  private static final double[] KEEPS = {0.25, 0.5, 0.75};
  private static final double[] ENERGIES = {0.9, 0.95, 0.99};

  /** Enough for a smooth line at the width of a plot. */
  private static final int CURVE_POINTS = 64;

  @Option(
      names = "--spectrum",
      description = "Decompose matrices: effective and stable rank, condition, energy at ranks.")
  private boolean wanted;

  @Option(
      names = "--base",
      paramLabel = "B",
      description = "With --spectrum: of the changes to this model.")
  private @Nullable Path base;

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "With --spectrum: these matrices (those of attention and feed-forward layers).")
  private List<String> include = new ArrayList<>();

  @Option(names = "--exclude", paramLabel = "GLOB", description = "With --spectrum: not these.")
  private List<String> exclude = new ArrayList<>();

  @Option(
      names = {"-o", "--output"},
      paramLabel = "REPORT",
      description = "With --spectrum: also write a report with a plot: .html, .md or .json.")
  private @Nullable Path target;

  @Option(names = "--overwrite", description = "Replace REPORT if it exists.")
  private boolean overwrite;

  boolean wanted() {
    return wanted;
  }

  /**
   * @throws UsageException when an option has no effect
   */
  void requireUse() {
    boolean given =
        base != null || !include.isEmpty() || !exclude.isEmpty() || target != null || overwrite;
    if (!wanted && given) {
      throw new UsageException(
          "--base, --include, --exclude and a report have no effect without --spectrum",
          "add --spectrum");
    }
    if (overwrite && target == null) {
      throw new UsageException("--overwrite has no effect without a report", "add -o REPORT");
    }
  }

  /** Where the report goes, checked before the work. */
  Optional<ReportFile<SpectrumReport>> file() {
    return Optional.ofNullable(target)
        .map(
            path -> ReportFile.of(path, overwrite, SpectrumPage::render, SpectrumMarkdown::render));
  }

  SpectrumReport report(Checkpoint checkpoint, Smelt root) {
    try (ComputeDevice device = root.openDevice()) {
      NamePatterns selection = new NamePatterns(include, exclude);
      if (base == null) {
        return report(
            checkpoint,
            root,
            SpectrumAnalysis.of(checkpoint, Optional.empty(), selection, device, root.progress()));
      }
      try (Checkpoint start = Checkpoint.open(base)) {
        return report(
            checkpoint,
            root,
            SpectrumAnalysis.of(
                checkpoint, Optional.of(start), selection, device, root.progress()));
      }
    }
  }

  private SpectrumReport report(Checkpoint checkpoint, Smelt root, List<MatrixSpectrum> spectra) {
    Path path = checkpoint.path();
    return new SpectrumReport(
        String.valueOf(path.toAbsolutePath().normalize().getFileName()),
        path.toString(),
        base == null ? null : base.toString(),
        spectra.stream().map(SpectrumMixin::matrix).toList(),
        List.of(root.commandLine()));
  }

  private static SpectrumReport.Matrix matrix(MatrixSpectrum spectrum) {
    return new SpectrumReport.Matrix(
        spectrum.tensor(),
        spectrum.shape().toString(),
        spectrum.fullRank(),
        spectrum.breakEven(),
        spectrum.norm(),
        spectrum.effectiveRank(),
        spectrum.stableRank(),
        spectrum.conditionNumber(),
        Arrays.stream(KEEPS)
            .mapToObj(keep -> point(spectrum, keep, spectrum.rankAtKeep(keep)))
            .toList(),
        Arrays.stream(ENERGIES).mapToObj(energy -> reaching(spectrum, energy)).toList(),
        curve(spectrum));
  }

  private static Point point(MatrixSpectrum spectrum, double keep, int rank) {
    return new Point(keep, rank, spectrum.energy(rank));
  }

  private static Point reaching(MatrixSpectrum spectrum, double energy) {
    int rank = spectrum.rankFor(energy);
    return new Point(rank / spectrum.breakEven(), rank, energy);
  }

  /** From nothing to the last rank whose factors are no larger than the matrix. */
  private static List<Point> curve(MatrixSpectrum spectrum) {
    int last = Math.min(spectrum.fullRank(), (int) Math.floor(spectrum.breakEven()));
    List<Point> points = new ArrayList<>();
    int steps = Math.min(CURVE_POINTS, last);
    for (int i = 0; i <= steps; i++) {
      int rank = steps == 0 ? 0 : Math.round((float) last * i / steps);
      points.add(point(spectrum, rank / spectrum.breakEven(), rank));
    }
    return points;
  }
}
