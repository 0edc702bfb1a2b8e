package dev.smelt.cli.verify;

import dev.smelt.compress.layer.Values;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.manifest.ClusterRecord;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the manifest says of clusters: who shares, and the error of all together, from the errors of
 * the matrices, which {@link CertificateChecks} computes again, and the matrices themselves.
 */
public final class ClusterChecks {

  public static final String CLUSTER = "cluster";

  private ClusterChecks() {}

  /**
   * @param original the dense model
   */
  public static void check(
      Checkpoint original, Checkpoint written, Manifest manifest, List<Check> checks) {
    Map<String, List<String>> stored = new HashMap<>();
    LowRank.of(written).bases().forEach((basis, members) -> stored.put(basis.name(), members));
    Map<String, TensorRecord> records = new HashMap<>();
    manifest.tensors().forEach(record -> records.put(record.name(), record));
    boolean perBlock = Boolean.TRUE.equals(manifest.parameters().get("perBlock"));
    List<ClusterRecord> clusters = manifest.clusters() == null ? List.of() : manifest.clusters();
    checks.add(
        Check.equal(
            "shared bases",
            written.path().toString(),
            String.valueOf(clusters.size()),
            String.valueOf(stored.size())));
    for (ClusterRecord cluster : clusters) {
      checks.add(
          Check.equal(
              "members",
              cluster.basis(),
              cluster.members().stream().sorted().toList().toString(),
              stored.getOrDefault(cluster.basis(), List.of()).stream()
                  .sorted()
                  .toList()
                  .toString()));
      double error = error(original, cluster, records, perBlock);
      checks.add(
          CertificateChecks.close(
              "cluster error", cluster.basis(), cluster.relativeError(), error));
      Object promised = manifest.parameters().get("maxError");
      boolean kept = promised instanceof Number limit && error <= limit.doubleValue();
      checks.add(
          new Check("promise", cluster.basis(), kept, kept ? "" : error + " exceeds " + promised));
    }
  }

  private static double error(
      Checkpoint original,
      ClusterRecord cluster,
      Map<String, TensorRecord> records,
      boolean perBlock) {
    double lost = 0;
    double total = 0;
    double largest = 0;
    for (String member : cluster.members()) {
      String name = member + ".weight";
      TensorRecord record = records.get(name);
      Double relative = record == null ? null : record.relativeError();
      if (relative == null) {
        return Double.NaN;
      }
      double norm = Values.norm(original.tensor(name));
      lost = Math.hypot(lost, relative * norm);
      total = Math.hypot(total, norm);
      largest = Math.max(largest, relative);
    }
    double together = lost == 0 ? 0 : lost / total;
    return perBlock ? largest : together;
  }
}
