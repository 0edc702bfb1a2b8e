package dev.smelt.formats.model;

import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.model.LowRank.Part;
import dev.smelt.formats.model.LowRank.Split;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code low_rank_modules} as {@link LowRankParser} reads it, for Json to write. */
final class LowRankWriter {

  private LowRankWriter() {}

  static Map<String, Object> write(Map<String, Entry> modules) {
    Map<String, Object> map = new LinkedHashMap<>();
    modules.forEach((name, entry) -> map.put(name, entry(entry)));
    return map;
  }

  private static Map<String, Object> entry(Entry entry) {
    Map<String, Object> map = new LinkedHashMap<>();
    switch (entry) {
      case Module module -> {
        map.put("rank", module.rank());
        put(map, module.sharing());
        if (module.delta()) {
          map.put(LowRank.DELTA, true);
        }
      }
      case Split split ->
          map.put("parts", split.parts().stream().map(LowRankWriter::part).toList());
    }
    if (entry.transposed()) {
      map.put("transposed", true);
    }
    return map;
  }

  private static Map<String, Object> part(Part part) {
    Map<String, Object> map = new LinkedHashMap<>();
    Slice slice = part.slice();
    map.put("name", part.name());
    map.put(
        slice.axis().toString(),
        List.of(slice.first(), slice.count(), slice.stride(), slice.groups()));
    part.rank().ifPresent(rank -> map.put("rank", rank));
    put(map, part.sharing());
    return map;
  }

  private static void put(Map<String, Object> map, Sharing sharing) {
    switch (sharing) {
      case Sharing.None _ -> {}
      case Sharing.OfA(Basis basis) -> map.put(LowRank.SHARED_A, basis.name());
      case Sharing.OfB(Basis basis) -> map.put(LowRank.SHARED_B, basis.name());
    }
  }
}
