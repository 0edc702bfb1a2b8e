package dev.smelt.cli.command;

import dev.smelt.cli.verify.CertificateChecks;
import dev.smelt.cli.verify.Check;
import dev.smelt.cli.verify.ClusterChecks;
import dev.smelt.cli.verify.ClusterVerification;
import dev.smelt.cli.verify.DampenChecks;
import dev.smelt.cli.verify.DeltaChecks;
import dev.smelt.cli.verify.FileChecks;
import dev.smelt.cli.verify.ManifestFile;
import dev.smelt.cli.verify.PruneChecks;
import dev.smelt.cli.verify.StructureChecks;
import dev.smelt.cli.verify.ZooChecks;
import dev.smelt.compress.structure.StructurePattern;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.GateException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.huggingface.ZooFolder;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Checks a written checkpoint against its manifest and, if given, against what it was made of. */
@Command(
    name = "verify",
    description = "Check structure, hashes and certificates of a checkpoint that smelt wrote.",
    footer = {
      "%nExamples:",
      "  smelt verify small/",
      "  smelt verify small/ --against model/ --stats F.safetensors",
      "  smelt verify adapter/ --against tuned/ --base base/",
      "  smelt verify zoo/ --against a/ --against b/"
    })
public final class VerifyCommand extends SmeltCommand {

  @Parameters(paramLabel = "OUT", description = "A checkpoint with a manifest.")
  private Path path = Path.of("");

  @Option(
      names = "--against",
      paramLabel = "IN",
      description = "What it was made of, in order; certificates are computed again from it.")
  private List<Path> against = new ArrayList<>();

  @Option(
      names = "--base",
      paramLabel = "B",
      description = "Of an adapter: the base it was made with.")
  private @Nullable Path base;

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description =
          "The statistics that were used, to compute weighted errors again; of several models once"
              + " for each, in order.")
  private List<Path> stats = new ArrayList<>();

  /** Everything checked, in stable keys. */
  record Report(String path, boolean ok, List<Check> checks, List<String> notes) {}

  @Override
  protected Result execute() {
    if (!stats.isEmpty() && against.isEmpty()) {
      throw new UsageException("--stats has no effect without --against", "add --against IN");
    }
    boolean adapter = Adapter.isFolder(path);
    if (base != null && (against.isEmpty() || !adapter)) {
      throw new UsageException(
          "--base has no effect but with an adapter and --against", "leave it out");
    }
    if (adapter && !against.isEmpty() && base == null) {
      throw new UsageException(
          "an adapter is compared with its model and its base", "add --base B");
    }
    List<Check> checks = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    Path manifestFile = ManifestFile.of(path);
    Manifest manifest = Manifest.read(manifestFile);
    // Hashes first: a file that cannot be opened is a difference too, and the more telling one.
    FileChecks.run(path, manifest, checks, notes);
    if (checks.stream().anyMatch(check -> !check.ok())) {
      notes.add("files differ from the manifest, so values and certificates were not looked at");
    } else if (adapter) {
      try (Adapter written = Adapter.open(path)) {
        FileChecks.values(written.weights(), manifest, checks);
        if (base != null) {
          compare(written, base, manifest, checks, notes);
        }
      }
    } else if (ZooFolder.isFolderOf(path)) {
      ZooChecks.strangers(path, manifest, notes);
      ZooChecks.values(path, manifest, checks);
      if (!against.isEmpty()) {
        compareClusters(ZooChecks.folders(path, manifest), manifest, checks, notes);
      }
    } else {
      try (Checkpoint written = Checkpoint.open(path)) {
        FileChecks.values(written, manifest, checks);
        if (!against.isEmpty()) {
          compare(written, manifest, checks, notes);
        }
      }
    }
    return result(new Report(path.toString(), checks.stream().allMatch(Check::ok), checks, notes));
  }

  /** The one file that there may be where one model was written. */
  private Optional<Path> statistics() {
    if (stats.size() > 1) {
      throw new UsageException(
          "one model was written, --stats names " + stats.size() + " files", "give one");
    }
    return stats.stream().findFirst();
  }

  private void compare(
      Checkpoint written, Manifest manifest, List<Check> checks, List<String> notes) {
    if (manifest.command().equals(ClusterChecks.CLUSTER)) {
      compareClusters(List.of(path), manifest, checks, notes);
      return;
    }
    List<AutoCloseable> opened = new ArrayList<>();
    try (var _ = new ClosingAll(opened)) {
      List<Checkpoint> originals = open(against, opened);
      CertificateChecks.inputs(originals, manifest, root().threads(), checks, notes);
      if (manifest.command().equals(DampenChecks.DAMPEN)) {
        DampenChecks.errors(originals.getFirst(), written, manifest, checks);
      }
      if (manifest.command().equals(PruneChecks.PRUNE)) {
        LazyDevice device = new LazyDevice(root()::openDevice);
        opened.add(device);
        comparePruned(originals.getFirst(), written, manifest, device, checks, notes);
      }
      if (manifest.command().equals(CertificateChecks.FACTORIZE)) {
        try (ComputeDevice device = root().openDevice()) {
          CertificateChecks.certificates(
              originals.getFirst(), written, manifest, statistics(), device, checks, notes);
        }
      }
    }
  }

  private void comparePruned(
      Checkpoint original,
      Checkpoint written,
      Manifest manifest,
      LazyDevice device,
      List<Check> checks,
      List<String> notes) {
    Optional<StructurePattern> units = StructureChecks.pattern(manifest);
    if (units.isPresent()) {
      StructureChecks.run(
          original, written, manifest, units.get(), statistics(), device, checks, notes);
    } else {
      PruneChecks.run(original, written, manifest, statistics(), device, checks, notes);
    }
  }

  /**
   * @param folders of the models that were written
   */
  private void compareClusters(
      List<Path> folders, Manifest manifest, List<Check> checks, List<String> notes) {
    List<AutoCloseable> opened = new ArrayList<>();
    try (var _ = new ClosingAll(opened);
        ComputeDevice device = root().openDevice()) {
      List<Checkpoint> originals = open(against, opened);
      CertificateChecks.inputs(originals, manifest, root().threads(), checks, notes);
      ClusterVerification.check(
          originals, open(folders, opened), manifest, stats, device, opened, checks, notes);
    }
  }

  private static List<Checkpoint> open(List<Path> paths, List<AutoCloseable> opened) {
    List<Checkpoint> checkpoints = new ArrayList<>();
    for (Path path : paths) {
      Checkpoint checkpoint = Checkpoint.open(path);
      opened.add(checkpoint);
      checkpoints.add(checkpoint);
    }
    return checkpoints;
  }

  private void compare(
      Adapter written, Path basePath, Manifest manifest, List<Check> checks, List<String> notes) {
    try (Checkpoint model = Checkpoint.open(against.getFirst());
        Checkpoint original = Checkpoint.open(basePath)) {
      if (against.size() > 1) {
        throw new UsageException(
            "an adapter is made of one model, --against names " + against.size(), "give one");
      }
      CertificateChecks.inputs(List.of(model), manifest, root().threads(), checks, notes);
      DeltaChecks.base(original, manifest, root().threads(), checks);
      if (manifest.command().equals(DeltaChecks.DELTA)) {
        try (ComputeDevice device = root().openDevice()) {
          DeltaChecks.certificates(
              model, original, written, manifest, statistics(), device, checks, notes);
        }
      }
    }
  }

  private Result result(Report report) {
    Optional<GateException> gate = Optional.empty();
    if (!report.ok()) {
      Check first = report.checks().stream().filter(check -> !check.ok()).findFirst().orElseThrow();
      gate =
          Optional.of(
              new GateException(
                  "verification found a difference",
                  path + "|" + first.subject(),
                  first.check() + ": " + first.detail(),
                  "see the list on standard output"));
    }
    return new Result(report, () -> text(report), gate);
  }

  private static String text(Report report) {
    StringBuilder text = new StringBuilder();
    for (Check check : report.checks()) {
      if (!check.ok()) {
        text.append(
            String.format("differs  %s %s: %s%n", check.check(), check.subject(), check.detail()));
      }
    }
    long passed = report.checks().stream().filter(Check::ok).count();
    text.append(String.format("%d of %d checks passed%n", passed, report.checks().size()));
    for (String note : report.notes()) {
      text.append(note).append('\n');
    }
    return text.toString();
  }
}
