package dev.smelt.formats.safetensors;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Which bytes of a tensor have been written, by any thread; writing some twice counts once. */
final class WrittenRanges {

  /** Start → end of ranges that neither overlap nor touch. */
  private final TreeMap<Long, Long> ends = new TreeMap<>();

  synchronized void add(long start, long end) {
    if (start == end) {
      return;
    }
    long from = start;
    long to = end;
    for (Map.@Nullable Entry<Long, Long> near = ends.floorEntry(to);
        near != null && near.getValue() >= from;
        near = ends.floorEntry(to)) {
      from = Math.min(from, near.getKey());
      to = Math.max(to, near.getValue());
      ends.remove(near.getKey());
    }
    ends.put(from, to);
  }

  /** True when nothing is missing from 0 to {@code length}. */
  synchronized boolean cover(long length) {
    return length == 0 || (ends.size() == 1 && ends.getOrDefault(0L, 0L) == length);
  }
}
