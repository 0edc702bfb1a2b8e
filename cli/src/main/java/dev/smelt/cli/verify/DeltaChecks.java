package dev.smelt.cli.verify;

import dev.smelt.compress.delta.DeltaRecertification;
import dev.smelt.compress.delta.DeltaRecertification.Factors;
import dev.smelt.compress.delta.DeltaRecertification.Found;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What a manifest says of an adapter, computed again from model and base. */
public final class DeltaChecks {

  public static final String DELTA = "delta";

  private static final Set<String> IN_FULL = Set.of(TensorRecord.KEPT, TensorRecord.UNCHANGED);

  private DeltaChecks() {}

  /** The base is the one that the manifest names. */
  public static void base(Checkpoint base, Manifest manifest, int threads, List<Check> checks) {
    String expected =
        manifest.inputs().stream()
            .filter(input -> input.role().equals("base"))
            .map(Manifest.Input::sha256)
            .findFirst()
            .orElse("none");
    checks.add(
        Check.equal(
            "base sha256", base.path().toString(), expected, ContentHash.of(base, threads)));
  }

  /** Errors of factors, and that what is there in full or unchanged is the model's. */
  public static void certificates(
      Checkpoint model,
      Checkpoint base,
      Adapter adapter,
      Manifest manifest,
      Optional<Path> statistics,
      ComputeDevice device,
      List<Check> checks,
      List<String> notes) {
    CertificateChecks.withMetric(
        manifest,
        statistics,
        checks,
        notes,
        (metric, weighted) ->
            compare(model, base, adapter, manifest, metric, weighted, device, checks));
  }

  private static void compare(
      Checkpoint model,
      Checkpoint base,
      Adapter adapter,
      Manifest manifest,
      Metric metric,
      boolean weighted,
      ComputeDevice device,
      List<Check> checks) {
    Map<String, TensorRecord> records = new HashMap<>();
    manifest.tensors().forEach(record -> records.put(record.name(), record));
    Set<String> factored = new HashSet<>();
    for (Found found : DeltaRecertification.of(model, base, adapter, metric, device)) {
      String name = found.tensor();
      TensorRecord record = records.get(name);
      if (record == null) {
        checks.add(new Check("certificate", name, false, "the manifest has none"));
      } else if (found.factors().isPresent()) {
        // Unchanged with factors: the base's stored copy of a tied tensor, which follows it.
        if (!record.action().equals(TensorRecord.UNCHANGED)) {
          factored.add(name);
          factors(record, found.factors().get(), weighted, checks);
        }
      } else if (IN_FULL.contains(record.action())) {
        String detail = found.equal() ? "" : "expected the model's values";
        checks.add(new Check("values", name, found.equal(), detail));
      }
    }
    for (TensorRecord record : manifest.tensors()) {
      if (record.action().equals(TensorRecord.DELTA) && !factored.contains(record.name())) {
        checks.add(new Check("certificate", record.name(), false, "the adapter has no factors"));
      }
    }
  }

  private static void factors(
      TensorRecord record, Factors found, boolean weighted, List<Check> checks) {
    String name = record.name();
    checks.add(
        Check.equal("rank", name, String.valueOf(record.rank()), String.valueOf(found.rank())));
    checks.add(
        CertificateChecks.close(
            "relative error", name, record.relativeError(), found.relativeToTensor()));
    checks.add(
        CertificateChecks.close(
            "error of the change", name, record.deltaError(), found.certificate().relativeError()));
    if (weighted) {
      checks.add(
          CertificateChecks.close(
              "weighted error",
              name,
              record.weightedRelativeError(),
              found.certificate().weightedRelativeError()));
    }
  }
}
