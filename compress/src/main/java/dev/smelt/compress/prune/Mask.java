package dev.smelt.compress.prune;

import dev.smelt.formats.storage.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Which weights of a tensor become zero: a bit for each, in the order in which the tensor is
 * stored, set where it goes. It lives as long as what it was made of.
 */
public abstract sealed class Mask permits Mask.Stored, LeastHalves {

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final long elements;
  private final long zeros;

  Mask(long elements, long zeros) {
    this.elements = elements;
    this.zeros = zeros;
  }

  /** Of how many weights. */
  public final long elements() {
    return elements;
  }

  /** How many of them become zero. */
  public final long zeros() {
    return zeros;
  }

  public final boolean removes(long index) {
    return ((word(index / Long.SIZE) >>> index) & 1) != 0;
  }

  /**
   * Bits of weights 64·{@code index} to 64·{@code index} + 63, the first in the lowest bit; 0 for
   * those that there are not.
   */
  abstract long word(long index);

  /** The same on disk, for as long as the scratch file lives. */
  final Mask stored(Scratch scratch) {
    Builder builder = new Builder(scratch, elements);
    for (long index = 0; index < Math.ceilDiv(elements, (long) Long.SIZE); index++) {
      builder.setWord(index, word(index));
    }
    return builder.build();
  }

  /**
   * Sets to 0 what goes.
   *
   * @param first a multiple of 64
   * @param values of weights {@code first … first+count-1}
   */
  final void clear(long first, int count, double[] values) {
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

  /** Bits in a scratch file. */
  static final class Stored extends Mask {

    private final MemorySegment words;

    private Stored(MemorySegment words, long elements, long zeros) {
      super(elements, zeros);
      this.words = words;
    }

    @Override
    long word(long index) {
      return words.get(WORD, index * Long.BYTES);
    }
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
      return new Stored(words.asReadOnly(), elements, zeros);
    }
  }
}
