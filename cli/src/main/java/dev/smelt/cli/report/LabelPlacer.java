package dev.smelt.cli.report;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Finds places for labels beside their marks where they cover neither marks nor labels. */
final class LabelPlacer {

  /** A rectangle by its corners. */
  record Box(double left, double top, double right, double bottom) {
    boolean meets(Box other) {
      return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }

    boolean within(Box outer) {
      return left >= outer.left
          && top >= outer.top
          && right <= outer.right
          && bottom <= outer.bottom;
    }
  }

  /**
   * Where a label goes.
   *
   * @param x of its anchor
   * @param y of its base line
   * @param anchor start, middle or end
   * @param far so far from its mark that a line must join them
   */
  record Place(double x, double y, String anchor, boolean far) {}

  private static final double HEIGHT = Svg.FONT + 2;

  /** From the centre of a mark to the nearest label. */
  private static final double NEAR = 9;

  private static final double LINE = 1.5;

  /** Rings that are tried around a mark; labels on any but the first are joined by a line. */
  private static final int RINGS = 8;

  private final Box frame;
  private final List<Box> taken = new ArrayList<>();

  LabelPlacer(Box frame) {
    this.frame = frame;
  }

  /** Keeps labels off a mark; all marks come before the first label. */
  void avoid(double x, double y, double radius) {
    taken.add(new Box(x - radius, y - radius, x + radius, y + radius));
  }

  /** Keeps labels off a level or upright line. */
  void avoidLine(double x1, double y1, double x2, double y2) {
    taken.add(
        new Box(
            Math.min(x1, x2) - LINE,
            Math.min(y1, y2) - LINE,
            Math.max(x1, x2) + LINE,
            Math.max(y1, y2) + LINE));
  }

  /** Null when there is no room: then the label is only shown on hover. */
  @Nullable Place place(double x, double y, double width) {
    for (int ring = 0; ring < RINGS; ring++) {
      double away = NEAR + ring * HEIGHT * 0.75;
      double side = NEAR + ring * 4;
      boolean far = ring > 0;
      double middle = Svg.FONT * 0.35;
      Place[] places =
          ring == 0
              ? new Place[] {
                new Place(x + side, y + middle, "start", far),
                new Place(x - side, y + middle, "end", far),
                new Place(x, y - away, "middle", far),
                new Place(x, y + away + Svg.FONT * 0.75, "middle", far),
              }
              : new Place[] {
                new Place(x + side, y - away + middle, "start", far),
                new Place(x + side, y + away + middle, "start", far),
                new Place(x - side, y - away + middle, "end", far),
                new Place(x - side, y + away + middle, "end", far),
              };
      for (Place place : places) {
        Box box = box(place, width);
        if (box.within(frame) && taken.stream().noneMatch(box::meets)) {
          taken.add(box);
          return place;
        }
      }
    }
    return null;
  }

  private static Box box(Place place, double width) {
    double left =
        switch (place.anchor()) {
          case "start" -> place.x();
          case "end" -> place.x() - width;
          default -> place.x() - width / 2;
        };
    double top = place.y() - Svg.FONT * 0.9;
    return new Box(left, top, left + width, top + HEIGHT);
  }
}
