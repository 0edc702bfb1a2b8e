package dev.smelt.cli.text;

import java.util.Locale;

/** Numbers as a person reads them; the same in every kind of report. */
public final class Format {

  private Format() {}

  /** One decimal, 1 MB = 10⁶ bytes; two decimals from a gigabyte on. */
  public static String bytes(long bytes) {
    if (bytes < 1_000) {
      return bytes + " B";
    }
    if (bytes < 999_950) {
      return fixed(bytes / 1e3, 1) + " kB";
    }
    if (bytes < 999_950_000) {
      return fixed(bytes / 1e6, 1) + " MB";
    }
    return grouped(bytes / 1e9, 2) + " GB";
  }

  /** Every digit: 1,878,144. */
  public static String count(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  /** Three or four significant digits: 1.88 M. */
  public static String shortCount(long count) {
    if (count < 10_000) {
      return count(count);
    }
    if (count < 999_950) {
      return fixed(count / 1e3, 1) + " k";
    }
    if (count < 999_995_000) {
      return fixed(count / 1e6, 2) + " M";
    }
    return grouped(count / 1e9, 2) + " B";
  }

  public static String percent(double fraction, int decimals) {
    return fixed(100 * fraction, decimals) + " %";
  }

  /** Four decimals, or two significant digits below a thousandth. */
  public static String error(double error) {
    if (error != 0 && Math.abs(error) < 0.001) {
      return String.format(Locale.ROOT, "%.1e", error);
    }
    return error == 0 ? "0" : fixed(error, 4);
  }

  public static String fixed(double value, int decimals) {
    if (Double.isNaN(value)) {
      return "NaN";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "∞" : "-∞";
    }
    return String.format(Locale.ROOT, "%." + decimals + "f", value);
  }

  public static String grouped(double value, int decimals) {
    return Double.isFinite(value)
        ? String.format(Locale.ROOT, "%,." + decimals + "f", value)
        : fixed(value, decimals);
  }

  /**
   * With its sign, and "=" for no change at all; a change that rounds to nothing keeps its sign.
   */
  public static String signed(double change, int decimals, String unit) {
    if (change == 0) {
      return "=";
    }
    String digits = grouped(Math.abs(change), decimals);
    return (change < 0 ? "-" : Double.isNaN(change) ? "" : "+") + digits + unit;
  }

  /** "1 tensor", "2 tensors". */
  public static String plural(long count, String noun) {
    return count(count) + " " + noun + (count == 1 ? "" : "s");
  }
}
