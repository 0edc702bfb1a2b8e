package dev.smelt.cli.verify;

import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import java.nio.file.Path;
import java.util.List;

/** Whether statistics at hand are those that were used. */
final class StatisticsChecks {

  private StatisticsChecks() {}

  /** Hashes of the statistics that a manifest names, in the order in which they were given. */
  static List<String> hashes(Manifest manifest) {
    return manifest.inputs().stream()
        .filter(input -> input.role().equals("statistics"))
        .map(Manifest.Input::sha256)
        .toList();
  }

  /**
   * Compares files with the first of as many hashes; a note says what follows where one differs.
   */
  static boolean areUsed(
      List<Path> files, List<String> hashes, List<Check> checks, List<String> notes) {
    boolean all = true;
    for (int i = 0; i < files.size(); i++) {
      Path file = files.get(i);
      Check check =
          Check.equal("statistics sha256", file.toString(), hashes.get(i), Hashing.sha256(file));
      checks.add(check);
      all &= check.ok();
    }
    if (!all) {
      notes.add("weighted errors were not computed again: these are not the statistics used");
    }
    return all;
  }
}
