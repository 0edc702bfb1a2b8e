package dev.smelt.cli.verify;

import dev.smelt.compress.layer.Values;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import java.util.List;
import java.util.Optional;

/** How far dampening has moved each tensor, computed again. */
public final class DampenChecks {

  public static final String DAMPEN = "dampen";

  private DampenChecks() {}

  /** ‖θ − θ̂‖ / ‖θ‖ of every tensor that was dampened. */
  public static void errors(
      Checkpoint original, Checkpoint written, Manifest manifest, List<Check> checks) {
    for (TensorRecord record : manifest.tensors()) {
      if (record.dampened() == null) {
        continue;
      }
      Optional<TensorView> before = original.find(record.name());
      Optional<TensorView> after = written.find(record.name());
      if (before.isEmpty() || after.isEmpty() || !sameShape(before.get(), after.get())) {
        String detail = "expected it in both, of one shape";
        checks.add(new Check("presence", record.name(), false, detail));
        continue;
      }
      double norm = Values.norm(before.get());
      double error = norm == 0 ? 0 : Values.distance(before.get(), after.get()) / norm;
      checks.add(
          CertificateChecks.close("relative error", record.name(), record.relativeError(), error));
    }
  }

  private static boolean sameShape(TensorView before, TensorView after) {
    return before.shape().equals(after.shape());
  }
}
