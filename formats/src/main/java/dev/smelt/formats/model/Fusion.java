package dev.smelt.formats.model;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Matrices that are several in one.
 *
 * @param names bare names of the tensors
 */
record Fusion(Pattern names, Parts parts) {

  private static final List<String> QUERY_KEY_VALUE = List.of("q", "k", "v");

  /** Where a config of this family puts the parts. */
  @FunctionalInterface
  interface Parts {
    /**
     * @param out rows of the matrix
     */
    List<FusedPart> of(ModelConfig config, int out);
  }

  static Fusion of(String names, Parts parts) {
    return new Fusion(Pattern.compile(names), parts);
  }

  /**
   * @param out rows of the matrix [out, in], whichever way it is stored
   * @throws MismatchException when the config says another number of rows
   */
  List<FusedPart> in(ModelConfig config, TensorInfo tensor, long out) {
    List<FusedPart> found;
    try {
      found = parts.of(config, Math.toIntExact(out));
    } catch (ArithmeticException | IllegalArgumentException e) {
      throw unfit(tensor, "sizes of heads that make a matrix", out);
    }
    long rows = found.stream().mapToLong(part -> part.slice().size()).sum();
    if (rows != out) {
      throw unfit(tensor, rows + " outputs", out);
    }
    return found;
  }

  private static MismatchException unfit(TensorInfo tensor, String expected, long out) {
    return new MismatchException(
        "parts of a matrix do not fit it",
        tensor.name(),
        "expected " + expected + " from config.json, found " + out + " outputs",
        "is config.json that of another model?");
  }

  /** Queries, keys and values below each other, of equal size. */
  static List<FusedPart> thirds(ModelConfig config, int out) {
    return below(QUERY_KEY_VALUE, List.of(out / 3, out / 3, out / 3));
  }

  /** Two matrices of one size below each other. */
  static List<FusedPart> gateAndUp(ModelConfig config, int out) {
    return below(List.of("gate", "up"), List.of(out / 2, out / 2));
  }

  /** Queries of all heads, then the fewer heads of keys and of values. */
  static List<FusedPart> grouped(ModelConfig config, int out) {
    int heads = config.size("num_attention_heads");
    int shared =
        present(config, "num_key_value_heads") ? config.size("num_key_value_heads") : heads;
    int width =
        present(config, "head_dim")
            ? config.size("head_dim")
            : divided(config, config.size("hidden_size"), heads);
    int keys = Math.multiplyExact(shared, width);
    return below(QUERY_KEY_VALUE, List.of(Math.multiplyExact(heads, width), keys, keys));
  }

  /** For each head in turn its queries, keys and values: rows [heads, 3, width]. */
  static List<FusedPart> byHead(ModelConfig config, int out) {
    int heads = config.size("num_attention_heads");
    int width = divided(config, out / 3, heads);
    List<FusedPart> parts = new ArrayList<>();
    for (String name : QUERY_KEY_VALUE) {
      parts.add(
          new FusedPart(
              name, new Slice(Axis.OUTPUT, parts.size() * width, width, 3 * width, heads)));
    }
    return parts;
  }

  private static List<FusedPart> below(List<String> names, List<Integer> sizes) {
    List<FusedPart> parts = new ArrayList<>();
    int first = 0;
    for (int i = 0; i < sizes.size(); i++) {
      parts.add(new FusedPart(names.get(i), Slice.range(Axis.OUTPUT, first, sizes.get(i))));
      first = Math.addExact(first, sizes.get(i));
    }
    return parts;
  }

  private static boolean present(ModelConfig config, String key) {
    return config.integer(key).isPresent();
  }

  private static int divided(ModelConfig config, int width, int heads) {
    if (width % heads != 0 || width < heads) {
      throw new CorruptException(
          "width not divisible by num_attention_heads",
          config.where(),
          "expected a multiple of " + heads + ", found " + width,
          "");
    }
    return width / heads;
  }
}
