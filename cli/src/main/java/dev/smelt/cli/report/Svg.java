package dev.smelt.cli.report;

import java.util.Locale;

/** What all plots share: their width, the frame, and text whose width is known beforehand. */
final class Svg {

  /** In user units; a phone shows them at about one pixel each. */
  static final double WIDTH = 420;

  /** Of all labels, in user units, as in the style sheet. */
  static final double FONT = 12;

  /** Signs are lower or narrower than letters. */
  private static final String NARROW = "fijlrtI.,:;'|!()[]-/ ";

  private static final String BROAD = "mwMW@%";

  private Svg() {}

  /** An element of the given height whose {@code label} a screen reader reads first. */
  static Markup open(String kind, String label, double height) {
    return new Markup()
        .open(
            "svg",
            "class",
            "plot " + kind,
            "viewBox",
            "0 0 " + number(WIDTH) + " " + number(height),
            "role",
            "group",
            "aria-label",
            label);
  }

  /** Coordinates to a hundredth, the same on every machine. */
  static String number(double value) {
    String text = String.format(Locale.ROOT, "%.2f", value);
    String cut = text.replaceAll("\\.?0+$", "");
    return cut.isEmpty() || cut.equals("-0") || cut.equals("-") ? "0" : cut;
  }

  static void line(Markup svg, String css, double x1, double y1, double x2, double y2) {
    svg.empty(
        "line",
        "class",
        css,
        "x1",
        number(x1),
        "y1",
        number(y1),
        "x2",
        number(x2),
        "y2",
        number(y2));
  }

  static void rect(Markup svg, String css, double x, double y, double width, double height) {
    svg.empty(
        "rect",
        "class",
        css,
        "x",
        number(x),
        "y",
        number(y),
        "width",
        number(width),
        "height",
        number(height));
  }

  /** {@code anchor} is start, middle or end. */
  static void text(Markup svg, String css, double x, double y, String anchor, String text) {
    svg.leaf("text", text, "class", css, "x", number(x), "y", number(y), "text-anchor", anchor);
  }

  /** A generous guess at the width in a common sans-serif, since fonts differ. */
  static double textWidth(String text) {
    double ems =
        text.codePoints()
            .mapToDouble(
                c ->
                    NARROW.indexOf(c) >= 0
                        ? 0.36
                        : BROAD.indexOf(c) >= 0 || Character.isUpperCase(c)
                            ? 0.86
                            : c < 0x250 ? 0.6 : 1.1)
            .sum();
    return ems * FONT;
  }
}
