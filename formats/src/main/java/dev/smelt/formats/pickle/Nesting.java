package dev.smelt.formats.pickle;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import java.util.IdentityHashMap;
import java.util.List;

/** Bounds how deep values nest and refuses cycles, so that readers may recurse. */
final class Nesting {

  /** Module trees of real models have some twenty levels, at two values each. */
  static final int MAX_DEPTH = 200;

  /** Of a value on the path that is being followed. */
  private static final int OPEN = -1;

  private final IdentityHashMap<PickleValue, Integer> depths = new IdentityHashMap<>();
  private final String where;

  private Nesting(String where) {
    this.where = where;
  }

  /** Looks at every value once; its own recursion is as deep as it lets values be. */
  static void require(PickleValue value, String where) {
    var _ = new Nesting(where).levels(value, 0);
  }

  /** Levels from {@code value} down, itself included; it has {@code above} others over it. */
  private int levels(PickleValue value, int above) {
    List<PickleValue> parts = value.parts();
    int levels = 1;
    if (!parts.isEmpty()) {
      Integer known = depths.put(value, OPEN);
      if (known != null && known == OPEN) {
        throw new CorruptException("value that contains itself in a pickle", where, "", "");
      }
      if (known == null) {
        requireDepth(above + 1);
        for (PickleValue part : parts) {
          levels = Math.max(levels, 1 + levels(part, above + 1));
        }
      } else {
        levels = known;
      }
      depths.put(value, levels);
    }
    requireDepth(above + levels);
    return levels;
  }

  private void requireDepth(int depth) {
    if (depth > MAX_DEPTH) {
      throw new LimitException(
          "values nest too deep in a pickle", where, "at most " + MAX_DEPTH + " levels", "");
    }
  }
}
