package dev.smelt.cli;

import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes and types as people write them. */
public final class Units {

  private static final Pattern SIZE = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([KMGT]?i?)B?");
  private static final Map<String, Long> FACTORS =
      Map.of(
          "", 1L,
          "K", 1_000L,
          "M", 1_000_000L,
          "G", 1_000_000_000L,
          "T", 1_000_000_000_000L,
          "Ki", 1L << 10,
          "Mi", 1L << 20,
          "Gi", 1L << 30,
          "Ti", 1L << 40);

  /** Those that are used most, for messages. */
  public static final String FLOATS = "f32, bf16, f16, f64, …";

  private Units() {}

  /**
   * Reads "5GB", "500M", "1.5GiB": decimal units unless there is an i.
   *
   * @throws UsageException on anything else
   */
  public static long bytes(String option, String text) {
    Matcher match = SIZE.matcher(text);
    Long factor = match.matches() ? FACTORS.get(match.group(2)) : null;
    if (factor == null) {
      throw new UsageException(
          option + " '" + text + "' is not a size", "use a number and KB, MB, GB or GiB");
    }
    return Math.round(Double.parseDouble(match.group(1)) * factor);
  }

  /**
   * Reads "bf16", "F32", "float16".
   *
   * @throws UsageException when it names no float type
   */
  public static DType floatType(String option, String text) {
    return floatType(text)
        .orElseThrow(
            () ->
                new UsageException(
                    option + " '" + text + "' is not a floating-point type",
                    "use " + FLOATS + (isInt8(text) ? "; int8 is for cluster --factors" : "")));
  }

  /** Likewise; empty when it names no float type. */
  public static Optional<DType> floatType(String text) {
    return DType.ofFloatName(text);
  }

  /** Whether it names integers of 8 bits. */
  public static boolean isInt8(String text) {
    return text.equalsIgnoreCase("int8") || text.equalsIgnoreCase("i8");
  }
}
