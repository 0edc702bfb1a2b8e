package dev.smelt.cli.verify;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Files and values as the manifest lists them. */
public final class FileChecks {

  private FileChecks() {}

  /** Every listed file is there, of the listed size and hash; others are noted. */
  public static void run(
      Path checkpoint, Manifest manifest, List<Check> checks, List<String> notes) {
    Storage storage = Storage.local();
    boolean folder = storage.isFolder(checkpoint);
    Set<String> listed = new HashSet<>();
    for (Manifest.WrittenFile file : manifest.files()) {
      listed.add(file.name());
      Path path = folder ? checkpoint.resolve(file.name()) : checkpoint.resolveSibling(file.name());
      if (!storage.exists(path)) {
        checks.add(new Check("presence", file.name(), false, "expected the file, found nothing"));
        continue;
      }
      Check size = Check.equal("size", file.name(), file.bytes(), storage.size(path));
      checks.add(size);
      if (size.ok()) {
        checks.add(Check.equal("sha256", file.name(), file.sha256(), Hashing.sha256(path)));
      }
    }
    if (folder) {
      listed.add(Manifest.FILE);
      for (Path path : storage.files(checkpoint)) {
        String name = String.valueOf(path.getFileName());
        if (!listed.contains(name)) {
          notes.add(name + " is not in the manifest");
        }
      }
      // Of a damaged index it is not known what it names.
      if (checks.stream().allMatch(Check::ok)) {
        SafetensorsCheckpoint.sharedFiles(checkpoint).stream()
            .filter(name -> !listed.contains(name))
            .forEach(name -> notes.add(name + " is not in the manifest"));
      }
    }
  }

  /** Totals agree and every value is finite, unless non-finite values were let through. */
  public static void values(Checkpoint written, Manifest manifest, List<Check> checks) {
    totals(manifest, written.bytes(), written.parameters(), checks);
    Long packed = manifest.totals().packedBytes();
    if (packed != null || written.isPacked()) {
      long expected = packed == null ? manifest.totals().bytesAfter() : packed;
      checks.add(Check.equal("packed bytes", "totals", expected, written.fileBytes()));
    }
    if (!Boolean.TRUE.equals(manifest.parameters().get("allowNonFinite"))) {
      finite(written, "", checks);
    }
  }

  static void totals(Manifest manifest, long bytes, long parameters, List<Check> checks) {
    Manifest.Totals totals = manifest.totals();
    checks.add(Check.equal("bytes of tensors", "totals", totals.bytesAfter(), bytes));
    checks.add(Check.equal("parameters", "totals", totals.parametersAfter(), parameters));
  }

  /**
   * @param prefix of the tensors' names in the list
   */
  static void finite(Checkpoint written, String prefix, List<Check> checks) {
    for (TensorView tensor : written.tensors()) {
      Optional<Long> bad = tensor.firstNonFinite();
      checks.add(
          new Check(
              "finite",
              prefix + tensor.name(),
              bad.isEmpty(),
              bad.map(index -> "found a NaN or an infinity at index " + index).orElse("")));
    }
  }
}
