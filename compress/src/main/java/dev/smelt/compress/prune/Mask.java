package dev.smelt.compress.prune;

import dev.smelt.formats.storage.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Which weights of a tensor become zero: a bit for each, in the order in which the tensor is
 * stored, set where it goes. It lies on disk and lives as long as the scratch file that holds it.
 */
public final class Mask {

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment words;
  private final long elements;
  private final long zeros;

  private Mask(MemorySegment words, long elements, long zeros) {
    this.words = words;
    this.elements = elements;
    this.zeros = zeros;
  }

  /** Of how many weights. */
  public long elements() {
    return elements;
  }

  /** How many of them become zero. */
  public long zeros() {
    return zeros;
  }

  public boolean removes(long index) {
    return ((word(index / Long.SIZE) >>> index) & 1) != 0;
  }

  /** Bits of weights 64·{@code index} to 64·{@code index} + 63, the first in the lowest bit. */
  long word(long index) {
    return words.get(WORD, index * Long.BYTES);
  }

  /**
   * Sets to 0 what goes.
   *
   * @param first a multiple of 64
   * @param values of weights {@code first … first+count-1}
   */
  void clear(long first, int count, double[] values) {
    for (int at = 0; at < count; at += Long.SIZE) {
      for (long rest = wordFrom(first + at, count - at); rest != 0; rest &= rest - 1) {
        values[at + Long.numberOfTrailingZeros(rest)] = 0;
      }
    }
  }

  private long wordFrom(long first, int count) {
    long word = word(first / Long.SIZE);
    return count < Long.SIZE ? word & ((1L << count) - 1) : word;
  }

  /** A mask being made. Several threads may set different words of it. */
  static final class Builder {

    private final MemorySegment words;
    private final long elements;

    Builder(Scratch scratch, long elements) {
      this.words = scratch.allocate(Math.ceilDiv(elements, (long) Long.SIZE) * Long.BYTES);
      this.elements = elements;
    }

    void set(long index) {
      long at = index / Long.SIZE;
      setWord(at, words.get(WORD, at * Long.BYTES) | (1L << index));
    }

    void setWord(long index, long bits) {
      words.set(WORD, index * Long.BYTES, bits);
    }

    Mask build() {
      long zeros = 0;
      for (long at = 0; at < words.byteSize(); at += Long.BYTES) {
        zeros += Long.bitCount(words.get(WORD, at));
      }
      return new Mask(words.asReadOnly(), elements, zeros);
    }
  }
}
