package dev.smelt.cli.verify;

import dev.smelt.compress.structure.Removal;
import dev.smelt.compress.structure.StructurePattern;
import dev.smelt.formats.manifest.LeftOutRecord;
import dev.smelt.formats.manifest.Manifest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Whether what the manifest lists as left out is what can be left out of a model. */
final class LeftOutChecks {

  private LeftOutChecks() {}

  /**
   * A check for each layer that lacks units: it is one of the model's, and their numbers are those
   * of some of its units.
   *
   * @param layers of the model, with nothing gone
   * @return the numbers, by layer; empty where a check failed
   */
  static Optional<Map<String, List<Integer>>> gone(
      Manifest manifest, StructurePattern pattern, List<Removal> layers, List<Check> checks) {
    Map<String, Integer> units = new HashMap<>();
    layers.forEach(layer -> units.put(layer.layer(), layer.of()));
    Map<String, List<Integer>> gone = new HashMap<>();
    List<LeftOutRecord> records = manifest.leftOut();
    boolean all = true;
    for (LeftOutRecord record : records == null ? List.<LeftOutRecord>of() : records) {
      Optional<String> fault =
          fault(record, pattern, Optional.ofNullable(units.get(record.layer())));
      if (gone.put(record.layer(), record.indices()) != null) {
        fault = Optional.of("expected each layer once");
      }
      checks.add(new Check("units", record.layer(), fault.isEmpty(), fault.orElse("")));
      all &= fault.isEmpty();
    }
    return all ? Optional.of(gone) : Optional.empty();
  }

  private static Optional<String> fault(
      LeftOutRecord record, StructurePattern pattern, Optional<Integer> units) {
    if (!record.pattern().equals(pattern.toString())) {
      return Optional.of("expected " + pattern + ", found " + record.pattern());
    }
    if (units.isEmpty()) {
      return Optional.of("the original has no such layer");
    }
    if (record.units() != units.get()) {
      return Optional.of("expected " + units.get() + ", found " + record.units());
    }
    int last = -1;
    for (int index : record.indices()) {
      if (index <= last || index >= record.units()) {
        return Optional.of(
            String.format(
                "expected numbers from 0 to %d, ascending, found %d", record.units() - 1, index));
      }
      last = index;
    }
    return record.indices().size() < record.units()
        ? Optional.empty()
        : Optional.of("expected some of " + record.units() + " to stay, found none");
  }
}
