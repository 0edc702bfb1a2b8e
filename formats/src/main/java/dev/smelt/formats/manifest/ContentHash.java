package dev.smelt.formats.manifest;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.work.Workers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Comparator;
import java.util.List;

/**
 * The identity of a model's weights, the same however they are split into files: SHA-256 over one
 * line per tensor, sorted by name, {@code name TAB dtype TAB shape TAB sha256(data) LF}.
 */
public final class ContentHash {

  private ContentHash() {}

  /** Reads every byte of the checkpoint, tensors in parallel. */
  public static String of(Checkpoint checkpoint, int threads) {
    List<TensorView> sorted =
        checkpoint.tensors().stream().sorted(Comparator.comparing(TensorView::name)).toList();
    List<String> lines = Workers.map(threads, sorted, ContentHash::line);
    MessageDigest digest = Hashing.digest();
    for (String line : lines) {
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    return Hashing.hex(digest);
  }

  private static String line(TensorView tensor) {
    return String.join(
        "\t",
        tensor.name(),
        tensor.dtype().label(),
        tensor.shape().toString(),
        Hashing.sha256(tensor.segment()) + "\n");
  }
}
