package dev.smelt.cli.report;

/** Marks that are told apart by shape first and by colour second. */
final class Glyph {

  /** Of about the same area, around the origin: disc, square, diamond, triangles, cross. */
  private static final String[] SHAPES = {
    "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1-4 0Z",
    "M-3.6-3.6H3.6V3.6H-3.6Z",
    "M0-5.2 5.2 0 0 5.2-5.2 0Z",
    "M0-4.8 4.8 3.8H-4.8Z",
    "M0 4.8 4.8-3.8H-4.8Z",
    "M-1.6-4.8H1.6V-1.6H4.8V1.6H1.6V4.8H-1.6V1.6H-4.8V-1.6H-1.6Z",
  };

  private Glyph() {}

  /** The outline of the n-th kind; shapes come round again with other colours. */
  static String path(int n) {
    return SHAPES[n % SHAPES.length];
  }

  /** The style-sheet class with the colour of the n-th kind. */
  static String css(int n) {
    return "k" + (n + n / SHAPES.length) % SHAPES.length;
  }

  /** The outline of a model by its role. */
  static String ofRole(String role) {
    return switch (role) {
      case "before" -> path(0);
      case "after" -> path(2);
      default -> path(1);
    };
  }

  /** A line of a legend. */
  static void key(Markup html, String css, String path, String label) {
    html.open("li")
        .open("svg", "class", "glyph", "viewBox", "-7 -7 14 14", "aria-hidden", "true")
        .empty("path", "class", css, "d", path)
        .close()
        .text(" " + label)
        .close();
  }
}
