package dev.smelt.cli.verify;

import dev.smelt.compress.factorize.Recertification;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the manifest says of inputs and errors, computed again. */
public final class CertificateChecks {

  public static final String FACTORIZE = "factorize";

  /** Other thread counts and devices sum in another order; f64 keeps that far below this. */
  private static final double TOLERANCE = 1e-6;

  /** Errors below this, relative to the matrix, are rounding of the f64 sums themselves. */
  private static final double FLOOR = 1e-12;

  private CertificateChecks() {}

  /** The given originals are the models the manifest names, in order. */
  public static void inputs(
      List<Checkpoint> originals,
      Manifest manifest,
      int threads,
      List<Check> checks,
      List<String> notes) {
    List<Manifest.Input> models =
        manifest.inputs().stream().filter(input -> input.role().equals("model")).toList();
    for (int i = 0; i < originals.size(); i++) {
      String subject = originals.get(i).path().toString();
      if (i >= models.size()) {
        checks.add(new Check("input", subject, false, "the manifest names " + models.size()));
        continue;
      }
      checks.add(
          Check.equal(
              "input sha256",
              subject,
              models.get(i).sha256(),
              ContentHash.of(originals.get(i), threads)));
    }
    if (originals.size() < models.size()) {
      notes.add(models.size() - originals.size() + " input(s) were not given and not compared");
    }
  }

  /** Errors of factorised modules, from the original and the factors as stored. */
  public static void certificates(
      Checkpoint original,
      Checkpoint written,
      Manifest manifest,
      Optional<Path> statistics,
      ComputeDevice device,
      List<Check> checks,
      List<String> notes) {
    withMetric(
        manifest,
        statistics,
        checks,
        notes,
        (metric, weighted) ->
            compare(original, written, manifest, metric, weighted, device, checks));
  }

  /** Computes certificates in a metric. */
  interface InMetric {
    /**
     * @param weighted whether the metric is the one that was used
     */
    void compute(Metric metric, boolean weighted);
  }

  /** The metric of the manifest, or the plain one where its statistics are not at hand. */
  static void withMetric(
      Manifest manifest,
      Optional<Path> statistics,
      List<Check> checks,
      List<String> notes,
      InMetric then) {
    boolean plain = "plain".equals(manifest.parameters().get("metric"));
    if (plain || statistics.isEmpty()) {
      if (!plain) {
        notes.add("weighted errors were not computed again; give --stats");
      }
      then.compute(new PlainMetric(), plain);
      return;
    }
    List<String> named = StatisticsChecks.hashes(manifest);
    List<String> expected = named.isEmpty() ? List.of("none") : named;
    if (!StatisticsChecks.areUsed(List.of(statistics.get()), expected, checks, notes)) {
      then.compute(new PlainMetric(), false);
      return;
    }
    try (Statistics opened = Statistics.open(statistics.get())) {
      then.compute(
          MetricSpec.parse(manifest.parameters(), "parameters").metric(Optional.of(opened)), true);
    }
  }

  private static void compare(
      Checkpoint original,
      Checkpoint written,
      Manifest manifest,
      Metric metric,
      boolean weighted,
      ComputeDevice device,
      List<Check> checks) {
    Map<String, TensorRecord> records = new HashMap<>();
    manifest.tensors().forEach(record -> records.put(record.name(), record));
    for (Recertification.Stored pair : Recertification.pairs(LowRank.of(written))) {
      String name = pair.module() + ".weight";
      TensorRecord record = records.get(name);
      if (record == null) {
        checks.add(new Check("certificate", name, false, "the manifest has none"));
        continue;
      }
      Certificate found = Recertification.of(original, written, pair, metric, device);
      checks.add(
          Check.equal("rank", name, String.valueOf(record.rank()), String.valueOf(pair.rank())));
      boolean delta = pair.factors().delta();
      if (delta) {
        checks.add(close("error of the change", name, record.deltaError(), found.relativeError()));
      }
      double share = delta ? Recertification.shareOfChange(original, written, pair) : 1;
      checks.add(
          close("relative error", name, record.relativeError(), found.relativeError() * share));
      if (weighted) {
        checks.add(
            close(
                "weighted error",
                name,
                record.weightedRelativeError(),
                found.weightedRelativeError()));
      }
    }
  }

  static Check close(String check, String name, @Nullable Double expected, double found) {
    boolean ok =
        expected != null && Math.abs(found - expected) <= TOLERANCE * Math.abs(expected) + FLOOR;
    return new Check(check, name, ok, ok ? "" : "expected " + expected + ", found " + found);
  }
}
