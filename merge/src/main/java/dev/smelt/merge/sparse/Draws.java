package dev.smelt.merge.sparse;

import dev.smelt.merge.method.Operand;

/**
 * Random numbers for the elements of a tensor of a model, each found from its place alone: the n-th
 * output of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
 * OOPSLA 2014), started at a key.
 *
 * <p>The key is made of the seed, the tensor's name and its values in that model. So a model has
 * the same numbers wherever it stands among the others, on every machine and in whatever type it is
 * stored, and other models have others; only where two models have the same tensor are their
 * numbers the same.
 *
 * @param key where the generator starts
 */
record Draws(long key) {

  private static final long STEP = 0x9E3779B97F4A7C15L;

  /** Numbers have this many bits, all that a double has for those below 1. */
  static final int BITS = 53;

  static Draws of(long seed, String tensor, Operand model) {
    long key = mix(seed + STEP);
    for (int i = 0; i < tensor.length(); i++) {
      key = mix(key + STEP + tensor.charAt(i));
    }
    return new Draws(mix(key + values(model)));
  }

  /** Four sums that do not wait for one another, each of the values at every fourth place. */
  private static long values(Operand model) {
    long elements = model.view().elements();
    double[] chunk = new double[(int) Math.min(Largest.CHUNK, elements)];
    long a = 1;
    long b = 2;
    long c = 3;
    long d = 4;
    for (long at = 0; at < elements; at += chunk.length) {
      int count = (int) Math.min(chunk.length, elements - at);
      model.view().read(at, count, chunk);
      int k = 0;
      for (; k + 4 <= count; k += 4) {
        a = step(a, chunk[k]);
        b = step(b, chunk[k + 1]);
        c = step(c, chunk[k + 2]);
        d = step(d, chunk[k + 3]);
      }
      for (; k < count; k++) {
        a = step(a, chunk[k]);
      }
    }
    return mix(a + mix(b + mix(c + mix(d))));
  }

  private static long step(long sum, double value) {
    // Values of narrow types have nothing but zeros in their lower bits, which a product with an
    // odd number would leave so.
    return (Long.rotateLeft(sum, 29) ^ Double.doubleToRawLongBits(value)) * STEP;
  }

  /** The finaliser of SplitMix64: from a counter to 64 random bits. */
  static long mix(long counter) {
    long z = (counter ^ (counter >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** For an element, a whole number in [0, 2⁵³). */
  long of(long element) {
    return mix(key + (element + 1) * STEP) >>> (Long.SIZE - BITS);
  }

  /** A number is below it with this probability, to 2⁻⁵³. */
  static long bound(double probability) {
    return (long) Math.scalb(probability, BITS);
  }
}
