package dev.smelt.cli.verify;

import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.metric.Side;
import dev.smelt.compress.sharing.ZooModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Finds the metrics of clustered models again, and has their clusters checked in them. */
public final class ClusterVerification {

  private ClusterVerification() {}

  /**
   * @param originals the models that were clustered, in order; fewer than there are is a usage
   *     error
   * @param written what was made of each, in the same order
   * @param statistics that were used, once or once per model; none: plain errors only
   * @param opened gets what is to be closed
   */
  public static void check(
      List<Checkpoint> originals,
      List<Checkpoint> written,
      Manifest manifest,
      List<Path> statistics,
      ComputeDevice device,
      List<AutoCloseable> opened,
      List<Check> checks,
      List<String> notes) {
    if (originals.size() != written.size()) {
      throw new UsageException(
          written.size() + " models were clustered, --against names " + originals.size(),
          "give each once, in order");
    }
    MetricSpec spec = spec(manifest);
    boolean plain = spec.kind() == MetricSpec.Kind.PLAIN;
    List<Statistics> files = plain ? List.of() : used(manifest, statistics, opened, checks, notes);
    boolean weighted = plain || !files.isEmpty();
    List<VerifiedModel> models = new ArrayList<>();
    for (int i = 0; i < written.size(); i++) {
      Metric metric =
          files.isEmpty()
              ? new PlainMetric()
              : spec.metric(Optional.of(files.get(files.size() == 1 ? 0 : i)));
      String name = manifest.models() == null ? "" : manifest.models().get(i).name();
      models.add(new VerifiedModel(new ZooModel(name, originals.get(i), metric), written.get(i)));
    }
    ClusterChecks.check(models, manifest, weighted, device, checks);
  }

  /** Of shared bases both sides have weights. */
  private static MetricSpec spec(Manifest manifest) {
    Map<String, Object> parameters = new LinkedHashMap<>(manifest.parameters());
    parameters.remove("side");
    if (MetricSpec.Kind.FISHER.toString().equals(parameters.get("metric"))) {
      parameters.put("side", Side.BOTH.toString());
    }
    return MetricSpec.parse(parameters, "parameters");
  }

  /** The statistics, opened; none where they are not those that were used. */
  private static List<Statistics> used(
      Manifest manifest,
      List<Path> statistics,
      List<AutoCloseable> opened,
      List<Check> checks,
      List<String> notes) {
    List<String> expected = StatisticsChecks.hashes(manifest);
    if (expected.isEmpty()) {
      throw new CorruptException(
          "manifest without statistics", "inputs", "expected those of the metric", "");
    }
    boolean each = statistics.size() == expected.size();
    boolean one = statistics.size() == 1 && expected.stream().distinct().count() == 1;
    if (!each && !one) {
      notes.add(
          "weighted errors were not computed again; give --stats once per model, as they were given");
      return List.of();
    }
    if (!StatisticsChecks.areUsed(statistics, expected, checks, notes)) {
      return List.of();
    }
    List<Statistics> found = new ArrayList<>();
    for (Path file : statistics) {
      Statistics open = Statistics.open(file);
      opened.add(open);
      found.add(open);
    }
    return found;
  }
}
