package dev.smelt.cli.verify;

import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

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
   * Opens the statistics that were used, if they are at hand; a note says why weighted errors are
   * not computed again otherwise.
   */
  static void withUsed(
      Manifest manifest,
      Optional<Path> file,
      List<Check> checks,
      List<String> notes,
      Consumer<Statistics> then) {
    List<String> named = hashes(manifest);
    if (named.isEmpty()) {
      notes.add(
          "weighted errors were not computed again: statistics were gathered on the way, and not"
              + " kept");
    } else if (file.isEmpty()) {
      notes.add("weighted errors were not computed again; give --stats");
    } else if (areUsed(List.of(file.get()), named, checks, notes)) {
      try (Statistics opened = Statistics.open(file.get())) {
        then.accept(opened);
      }
    }
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
