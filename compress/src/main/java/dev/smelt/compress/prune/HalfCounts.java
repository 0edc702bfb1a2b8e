package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.storage.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How often each magnitude of two-byte floats occurs in a tensor: 15 bits, which are in order as
 * they are. Several threads may count different parts of it. The counts lie in a scratch file.
 */
final class HalfCounts {

  /** Read at a time: in the second-level cache. */
  private static final int PART = 1 << 16;

  private final Layer layer;
  private final MemorySegment counts;

  HalfCounts(Layer layer, Scratch scratch) {
    this.layer = layer;
    this.counts = scratch.allocate((Halves.MAGNITUDE + 1L) * Long.BYTES);
  }

  long of(int magnitude) {
    return counts.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, magnitude);
  }

  void add(long first, int count) {
    // In two halves, since neighbours that are equal would wait for each other.
    int[] even = new int[Halves.MAGNITUDE + 1];
    int[] odd = new int[Halves.MAGNITUDE + 1];
    short[] part = new short[PART];
    for (int at = 0; at < count; at += PART) {
      int length = Math.min(PART, count - at);
      Halves.read(layer.weight(), first + at, length, part);
      count(part, length, even, odd);
    }
    merge(even, odd);
  }

  private static void count(short[] part, int length, int[] even, int[] odd) {
    int pairs = length & ~1;
    for (int i = 0; i < pairs; i += 2) {
      even[part[i] & Halves.MAGNITUDE]++;
      odd[part[i + 1] & Halves.MAGNITUDE]++;
    }
    if (pairs < length) {
      even[part[pairs] & Halves.MAGNITUDE]++;
    }
  }

  private synchronized void merge(int[] even, int[] odd) {
    for (int magnitude = 0; magnitude <= Halves.MAGNITUDE; magnitude++) {
      long found = even[magnitude] + (long) odd[magnitude];
      if (found > 0) {
        counts.setAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, magnitude, of(magnitude) + found);
      }
    }
  }

  /**
   * @throws dev.smelt.formats.NonFiniteException when a weight is no finite number
   */
  void requireFinite() {
    for (int at = Halves.infinity(layer.weight().dtype()); at <= Halves.MAGNITUDE; at++) {
      if (of(at) > 0) {
        layer.requireFinite();
      }
    }
  }

  /**
   * The mask of all magnitudes below {@code limit} and of the first that equal it.
   *
   * @param ties how many of these
   */
  LeastHalves below(int limit, long ties) {
    long zeros = ties;
    for (int magnitude = 0; magnitude < limit; magnitude++) {
      zeros += of(magnitude);
    }
    Change change =
        Halves.change(
            layer.weight().dtype(),
            this::of,
            magnitude -> magnitude < limit ? of(magnitude) : magnitude == limit ? ties : 0);
    return new LeastHalves(layer.weight(), limit, edge(limit, ties), zeros, change);
  }

  /** Before which {@code ties} weights have that magnitude. */
  private long edge(int magnitude, long ties) {
    if (ties == 0) {
      return 0;
    }
    if (ties == of(magnitude)) {
      return layer.elements();
    }
    short[] part = new short[PART];
    long left = ties;
    for (long first = 0; ; first += PART) {
      int count = (int) Math.min(PART, layer.elements() - first);
      Halves.read(layer.weight(), first, count, part);
      for (int i = 0; i < count; i++) {
        if ((part[i] & Halves.MAGNITUDE) == magnitude && --left == 0) {
          return first + i + 1;
        }
      }
    }
  }
}
