package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.text.Columns;
import dev.smelt.cli.text.Format;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * The relative error of every changed tensor in the order of the model: as labelled bars while they
 * are few, else as one row of dots a layer.
 */
final class ErrorPlot {

  /** More bars than this make a page nobody scrolls through. */
  static final int MOST_BARS = 64;

  /** In characters; even of narrow ones no more fit beside a plot. */
  private static final int LONGEST_LABEL = 90;

  private ErrorPlot() {}

  /** Null when no tensor has an error. */
  static @Nullable Markup of(List<TensorDiff> tensors) {
    List<TensorDiff> drawn = drawn(tensors);
    if (drawn.isEmpty()) {
      return null;
    }
    return drawn.size() <= MOST_BARS ? ErrorBars.draw(drawn) : ErrorDots.draw(drawn);
  }

  /** Those that changed and were compared. */
  static List<TensorDiff> drawn(List<TensorDiff> tensors) {
    return tensors.stream()
        .filter(tensor -> !tensor.status().equals("same") && tensor.relativeError() != null)
        .toList();
  }

  /** The kinds of the dots with their marks, for a legend; empty where bars are labelled. */
  static SequencedMap<String, Integer> kinds(List<TensorDiff> tensors) {
    SequencedMap<String, Integer> kinds = new LinkedHashMap<>();
    List<TensorDiff> drawn = drawn(tensors);
    if (drawn.size() > MOST_BARS) {
      for (TensorDiff tensor : drawn) {
        TensorName name = TensorName.of(tensor.name());
        if (!name.layer().isEmpty()) {
          kinds.putIfAbsent(name.kind(), kinds.size());
        }
      }
    }
    return kinds;
  }

  /** In runs of the same layer; tensors of no layer are runs of their own. */
  static SequencedMap<String, List<TensorDiff>> layers(List<TensorDiff> drawn) {
    SequencedMap<String, List<TensorDiff>> layers = new LinkedHashMap<>();
    for (TensorDiff tensor : drawn) {
      String layer = TensorName.of(tensor.name()).layer();
      layers
          .computeIfAbsent(layer.isEmpty() ? tensor.name() : layer, key -> new ArrayList<>())
          .add(tensor);
    }
    return layers;
  }

  /** From zero to a round value over the largest finite error. */
  static Axis axis(List<TensorDiff> drawn, double from, double to) {
    double max =
        drawn.stream().mapToDouble(ErrorPlot::error).filter(Double::isFinite).max().orElse(1);
    return Axis.fromZero(max, from, to, 4);
  }

  /** What is not a number stands at the far end, like the infinite. */
  static double error(TensorDiff tensor) {
    Double error = tensor.relativeError();
    return error == null || error.isNaN() ? Double.POSITIVE_INFINITY : error;
  }

  static String tooltip(TensorDiff tensor) {
    StringBuilder text = new StringBuilder(tensor.name());
    text.append('\n').append(tensor.shape());
    text.append("\nrelative error ").append(TensorSummary.error(tensor));
    if (tensor.rank() != null) {
      text.append("\nrank ").append(TensorSummary.rank(tensor));
    }
    if (TensorSummary.isPositive(tensor.sparsity())) {
      text.append("\nzeros ").append(TensorSummary.sparsity(tensor));
    }
    return text.append('\n')
        .append(Format.bytes(tensor.bytesBefore()))
        .append(" → ")
        .append(Format.bytes(tensor.bytesAfter()))
        .toString();
  }

  /** Grid lines and their labels, above the rows and, when those are many, below too. */
  static void grid(Markup svg, Axis x, double top, double bottom, boolean both) {
    for (double tick : x.ticks()) {
      Svg.line(svg, tick == 0 ? "axis" : "grid", x.at(tick), top, x.at(tick), bottom);
      Svg.text(svg, "tick", x.at(tick), top - 8, "middle", x.label(tick));
      if (both) {
        Svg.text(svg, "tick", x.at(tick), bottom + 15, "middle", x.label(tick));
      }
    }
  }

  /** The labels, shortened only as far as none is wider than {@code most} units. */
  static List<String> fit(List<String> labels, double most) {
    List<String> fitted = labels;
    for (int columns = LONGEST_LABEL; columns > 1 && widest(fitted) > most; columns--) {
      fitted = Columns.shortenAll(labels, columns);
    }
    return fitted;
  }

  static double widest(List<String> labels) {
    return labels.stream().mapToDouble(Svg::textWidth).max().orElse(0);
  }

  /** The number of the mark of a tensor's kind. */
  static int kind(Map<String, Integer> kinds, TensorDiff tensor) {
    return kinds.getOrDefault(TensorName.of(tensor.name()).kind(), 0);
  }
}
