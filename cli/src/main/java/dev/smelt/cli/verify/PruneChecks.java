package dev.smelt.cli.verify;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.Values;
import dev.smelt.compress.prune.FisherLoss;
import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Pattern;
import dev.smelt.compress.prune.PruneRecertification;
import dev.smelt.compress.prune.PruneSelection;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Zeros, patterns and errors of a pruned model, computed again. */
public final class PruneChecks {

  public static final String PRUNE = "prune";

  private final Checkpoint original;
  private final Checkpoint written;
  private final Manifest manifest;
  private final List<Check> checks;

  private PruneChecks(
      Checkpoint original, Checkpoint written, Manifest manifest, List<Check> checks) {
    this.original = original;
    this.written = written;
    this.manifest = manifest;
    this.checks = checks;
  }

  /**
   * @param statistics that were used
   * @param device opened where outputs of layers are compared
   */
  public static void run(
      Checkpoint original,
      Checkpoint written,
      Manifest manifest,
      Optional<Path> statistics,
      Supplier<ComputeDevice> device,
      List<Check> checks,
      List<String> notes) {
    PruneChecks all = new PruneChecks(original, written, manifest, checks);
    all.tensors();
    boolean weighted =
        manifest.tensors().stream()
            .anyMatch(
                record -> record.weightedRelativeError() != null || record.predictedLoss() != null);
    if (weighted) {
      StatisticsChecks.withUsed(
          manifest, statistics, checks, notes, opened -> all.weighted(opened, device));
    }
  }

  private void tensors() {
    Optional<Pattern.Groups> groups = groups();
    for (TensorRecord record : manifest.tensors()) {
      Optional<TensorView> before = original.find(record.name());
      Optional<TensorView> after = written.find(record.name());
      if (present(record, before, after)) {
        if (record.action().equals(TensorRecord.PRUNED)) {
          pruned(record, before.get(), after.get(), groups);
        } else {
          kept(before.get(), after.get());
        }
      }
    }
  }

  private boolean present(
      TensorRecord record, Optional<TensorView> before, Optional<TensorView> after) {
    boolean both =
        before.isPresent() && after.isPresent() && before.get().shape().equals(after.get().shape());
    if (!both) {
      String detail = "expected it in both, of one shape";
      checks.add(new Check("presence", record.name(), false, detail));
    }
    return both;
  }

  private void pruned(
      TensorRecord record, TensorView before, TensorView after, Optional<Pattern.Groups> groups) {
    String name = record.name();
    TensorRecord.Sparsity sparsity = record.sparsity();
    checks.add(
        Check.equal(
            "zeros",
            name,
            sparsity == null ? "none" : String.valueOf(sparsity.zeros()),
            String.valueOf(Values.zeros(after))));
    double norm = Values.norm(before);
    double error = norm == 0 ? 0 : Values.distance(before, after) / norm;
    checks.add(CertificateChecks.close("relative error", name, record.relativeError(), error));
    groups.ifPresent(
        pattern ->
            checks.add(
                new Check(
                    "pattern",
                    name,
                    PruneRecertification.fits(PruneSelection.layer(written, after), pattern),
                    "expected at most " + pattern)));
  }

  private void kept(TensorView before, TensorView after) {
    if (before.dtype() == after.dtype()) {
      boolean same = before.sameBits(after);
      checks.add(new Check("unchanged", before.name(), same, same ? "" : "values differ"));
    }
  }

  private Optional<Pattern.Groups> groups() {
    String pattern = String.valueOf(manifest.parameters().get("pattern"));
    return pattern.contains(":") && Pattern.parse(pattern) instanceof Pattern.Groups groups
        ? Optional.of(groups)
        : Optional.empty();
  }

  private void weighted(Statistics statistics, Supplier<ComputeDevice> device) {
    Object damping = manifest.parameters().get("damping");
    for (TensorRecord record : manifest.tensors()) {
      Optional<TensorView> before = original.find(record.name());
      Optional<TensorView> after = written.find(record.name());
      if (!record.action().equals(TensorRecord.PRUNED) || before.isEmpty() || after.isEmpty()) {
        continue;
      }
      Layer layer = PruneSelection.layer(original, before.get());
      if (record.predictedLoss() != null) {
        double loss =
            PruneRecertification.predictedLoss(layer, after.get(), new FisherLoss(statistics));
        checks.add(
            CertificateChecks.close("predicted loss", record.name(), record.predictedLoss(), loss));
      }
      if (record.weightedRelativeError() != null && damping instanceof Number share) {
        double error =
            PruneRecertification.outputError(
                layer, after.get(), new InputGram(statistics, share.doubleValue()), device.get());
        checks.add(
            CertificateChecks.close(
                "weighted error", record.name(), record.weightedRelativeError(), error));
      }
    }
  }
}
