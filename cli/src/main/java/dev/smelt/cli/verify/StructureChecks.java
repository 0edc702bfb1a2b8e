package dev.smelt.cli.verify;

import dev.smelt.compress.structure.StructurePattern;
import dev.smelt.compress.structure.StructureRecertification;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.SortedSet;
import java.util.function.Supplier;

/** A model without some units, against the original and the numbers of these units. */
public final class StructureChecks {

  private final Checkpoint written;
  private final Manifest manifest;
  private final StructurePattern pattern;
  private final StructureRecertification expected;
  private final Map<String, TensorRecord> records = new HashMap<>();
  private final List<Check> checks;

  private StructureChecks(
      Checkpoint original,
      Checkpoint written,
      Manifest manifest,
      StructurePattern pattern,
      List<Check> checks) {
    this.written = written;
    this.manifest = manifest;
    this.pattern = pattern;
    this.expected = StructureRecertification.of(original, pattern, dtype(manifest));
    this.checks = checks;
    manifest.tensors().forEach(record -> records.put(record.name(), record));
  }

  /** What was left out; empty where single weights became zero. */
  public static Optional<StructurePattern> pattern(Manifest manifest) {
    return StructurePattern.named(String.valueOf(manifest.parameters().get("pattern")));
  }

  /**
   * @param statistics that were used
   * @param device opened where outputs of layers are compared
   */
  public static void run(
      Checkpoint original,
      Checkpoint written,
      Manifest manifest,
      StructurePattern pattern,
      Optional<Path> statistics,
      Supplier<ComputeDevice> device,
      List<Check> checks,
      List<String> notes) {
    new StructureChecks(original, written, manifest, pattern, checks)
        .run(statistics, device, notes);
  }

  private static Optional<DType> dtype(Manifest manifest) {
    Object label = manifest.parameters().get("dtype");
    if (label == null) {
      return Optional.empty();
    }
    Optional<DType> type = DType.ofLabel(label.toString());
    if (type.isEmpty()) {
      throw new CorruptException(
          "manifest with an unknown dtype", "parameters", "found " + label, "");
    }
    return type;
  }

  private void run(Optional<Path> statistics, Supplier<ComputeDevice> device, List<String> notes) {
    Optional<Map<String, List<Integer>>> gone =
        LeftOutChecks.gone(manifest, pattern, expected.layers(), checks);
    if (gone.isEmpty()) {
      notes.add("it is not known which units were left out, so tensors were not compared");
      return;
    }
    StructureRecertification.Without without = expected.without(gone.get());
    config(without, notes);
    List<Pair> refitted = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (StructureRecertification.Tensor tensor : without.tensors()) {
      tensor.output().ifPresent(output -> names.add(output.name()));
      tensor(tensor, refitted);
    }
    for (TensorView view : written.tensors()) {
      if (!names.contains(view.name())) {
        checks.add(new Check("presence", view.name(), false, "expected no such tensor"));
      }
    }
    if (!refitted.isEmpty()) {
      StatisticsChecks.withUsed(
          manifest, statistics, checks, notes, opened -> outputs(refitted, opened, device));
    }
  }

  private void config(StructureRecertification.Without without, List<String> notes) {
    Optional<ModelConfig> found = written.config();
    if (!Storage.local().isFolder(written.path())) {
      notes.add("a single file has no config.json, so its sizes were not compared");
      return;
    }
    if (found.isEmpty()) {
      checks.add(new Check("config", "config.json", false, "expected it, found nothing"));
      return;
    }
    try {
      ModelConfig sizes = without.config();
      SortedSet<String> unlike = sizes.keysUnlike(found.get());
      checks.add(
          new Check("config", "config.json", unlike.isEmpty(), detail(sizes, found.get(), unlike)));
    } catch (UnsupportedException e) {
      checks.add(new Check("config", "config.json", false, String.valueOf(e.getMessage())));
    }
  }

  private static String detail(ModelConfig expected, ModelConfig found, SortedSet<String> keys) {
    return String.join(
        "; ",
        keys.stream()
            .map(key -> key + ": expected " + expected.get(key) + ", found " + found.get(key))
            .toList());
  }

  /** A tensor, and what must have become of it. */
  private record Pair(
      StructureRecertification.Tensor tensor, TensorRecord record, TensorView written) {}

  /**
   * @param refitted to which those are added whose values only statistics can tell
   */
  private void tensor(StructureRecertification.Tensor tensor, List<Pair> refitted) {
    TensorRecord record = records.get(tensor.name());
    if (record == null) {
      checks.add(new Check("action", tensor.name(), false, "the manifest has none"));
      return;
    }
    boolean tuned = record.relativeError() != null;
    boolean whole = tensor.action().equals(TensorRecord.KEPT);
    checks.add(
        Check.equal(
            "action",
            tensor.name(),
            tuned && whole ? TensorRecord.TUNED : tensor.action(),
            record.action()));
    if (tensor.output().isEmpty()) {
      return;
    }
    TensorInfo output = tensor.output().get();
    Optional<TensorView> found = written.find(output.name());
    if (found.isEmpty()) {
      checks.add(new Check("presence", output.name(), false, "expected it, found nothing"));
      return;
    }
    Check shape = Check.equal("shape", output.name(), text(output), text(found.get().info()));
    checks.add(shape);
    if (!shape.ok()) {
      return;
    }
    if (tuned) {
      checks.add(
          CertificateChecks.close(
              "relative error", output.name(), record.relativeError(), tensor.change(found.get())));
    } else if (compensated() && record.weightedRelativeError() != null) {
      refitted.add(new Pair(tensor, record, found.get()));
    } else {
      boolean same = tensor.isLeft(found.get());
      checks.add(new Check("values", output.name(), same, same ? "" : "not those of the original"));
    }
  }

  private boolean compensated() {
    return Boolean.TRUE.equals(manifest.parameters().get("compensate"));
  }

  private static String text(TensorInfo info) {
    return info.dtype().label() + " " + info.shape();
  }

  private void outputs(List<Pair> refitted, Statistics statistics, Supplier<ComputeDevice> device) {
    for (Pair pair : refitted) {
      OptionalDouble error = pair.tensor().outputError(pair.written(), statistics, device.get());
      String name = pair.written().name();
      checks.add(
          error.isPresent()
              ? CertificateChecks.close(
                  "weighted error",
                  name,
                  pair.record().weightedRelativeError(),
                  error.getAsDouble())
              : new Check("weighted error", name, false, "none of its inputs are gone"));
    }
  }
}
