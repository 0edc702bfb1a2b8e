package dev.smelt.formats.packed;

import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * How a tensor T of n elements of w bits, z of which are stored, lies in a file: as three tensors.
 *
 * <table>
 * <caption>Parts</caption>
 * <tr><th>name</th><th>type and shape</th><th>content</th></tr>
 * <tr><td>{@code T.smelt_bits}</td><td>U8 [⌈n/8⌉]</td><td>bit i mod 8 of byte ⌊i/8⌋, the lowest
 *     being bit 0, is 1 where element i is stored; bits from n on are 0</td></tr>
 * <tr><td>{@code T.smelt_values}</td><td>T's type [z]</td><td>the stored elements in their order; of
 *     types narrower than a byte followed by zeros up to a whole byte, which count as
 *     elements</td></tr>
 * <tr><td>{@code T.smelt_shape}</td><td>I64 [axes of T]</td><td>sizes of the axes</td></tr>
 * </table>
 *
 * <p>Elements that are not stored have all bits 0, which is +0 in every type but F8_E8M0. Written
 * are all others, so −0 and every NaN come back as they were.
 */
public final class PackedFormat {

  /** Key of the header's metadata and of config.json. */
  public static final String KEY = "smelt_packed";

  static final String BITS = ".smelt_bits";
  static final String VALUES = ".smelt_values";
  static final String SHAPE = ".smelt_shape";

  /** All endings that names of parts have. */
  static final List<String> ENDINGS = List.of(BITS, VALUES, SHAPE);

  private static final int VERSION = 1;

  /** What a writer says the weights are for; loaders that look for "pt" refuse this. */
  private static final String FORMAT = "format";

  private PackedFormat() {}

  /** The ending of a part's name, if it is one. */
  static Optional<String> ending(String name) {
    return ENDINGS.stream().filter(name::endsWith).findFirst();
  }

  /** Bytes of the bits of n elements. */
  static long bitBytes(long elements) {
    return elements / Byte.SIZE + (elements % Byte.SIZE == 0 ? 0 : 1);
  }

  /** The number of elements of T.smelt_values where z are stored: the next that fills bytes. */
  static long valueElements(DType dtype, long stored) {
    int whole =
        Byte.SIZE / BigInteger.valueOf(dtype.bits()).gcd(BigInteger.valueOf(Byte.SIZE)).intValue();
    return Math.ceilDiv(stored, whole) * whole;
  }

  /** Bytes of the three parts. */
  static long bytes(TensorInfo info, long stored) {
    return bitBytes(info.elements())
        + info.dtype().bytes(valueElements(info.dtype(), stored))
        + (long) info.shape().rank() * Long.BYTES;
  }

  /** The metadata of a header, saying that tensors are packed. */
  static Map<String, String> mark(Map<String, String> metadata) {
    Map<String, String> marked = new TreeMap<>(metadata);
    marked.put(FORMAT, KEY);
    marked.put(KEY, String.valueOf(VERSION));
    return marked;
  }

  /** A config that says the same to whoever opens it. */
  static ModelConfig mark(ModelConfig config) {
    Map<String, Object> text = new LinkedHashMap<>();
    text.put("version", VERSION);
    text.put("hint", "tensors are stored as bits and values; smelt expand makes plain ones");
    return config.with(KEY, text);
  }

  /** Whether metadata are those of files with packed tensors. */
  public static boolean isMarked(Map<String, String> metadata) {
    return metadata.containsKey(KEY);
  }

  /**
   * The metadata of the plain tensors.
   *
   * @throws UnsupportedException when they are packed in another way
   */
  public static Map<String, String> unmark(Map<String, String> metadata, String where) {
    if (!isMarked(metadata)) {
      return metadata;
    }
    requireVersion(metadata.getOrDefault(KEY, ""), where);
    Map<String, String> plain = new TreeMap<>(metadata);
    plain.remove(KEY);
    plain.remove(FORMAT);
    return plain;
  }

  /**
   * The config of the plain tensors.
   *
   * @throws UnsupportedException when they are packed in another way
   */
  public static ModelConfig unmark(ModelConfig config) {
    if (config.get(KEY).isMissingNode()) {
      return config;
    }
    requireVersion(config.get(KEY).path("version").toString(), config.where());
    return config.without(KEY);
  }

  private static void requireVersion(String found, String where) {
    if (!found.equals(String.valueOf(VERSION))) {
      throw new UnsupportedException(
          "tensors packed in an unknown way",
          where,
          "expected " + KEY + " of version " + VERSION + ", found " + found,
          "use the version of smelt that wrote it");
    }
  }
}
