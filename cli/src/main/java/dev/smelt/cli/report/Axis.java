package dev.smelt.cli.report;

import dev.smelt.cli.text.Format;
import java.util.ArrayList;
import java.util.List;

/**
 * A linear axis: values from {@code low} to {@code high} lie between the pixels {@code from} and
 * {@code to}, which may run either way.
 *
 * @param ticks round values within the range
 * @param decimals that the ticks need
 */
record Axis(double low, double high, double from, double to, List<Double> ticks, int decimals) {

  /** Added on either side, as a part of the range, so that no mark sits on the frame. */
  private static final double MARGIN = 0.12;

  /** The range of an axis with a single value, relative to it. */
  private static final double AROUND_ONE_VALUE = 0.1;

  Axis {
    ticks = List.copyOf(ticks);
  }

  /** Around the values, not below zero where they are not. */
  static Axis around(double min, double max, double from, double to, int count) {
    double range = max - min;
    double margin = range > 0 ? MARGIN * range : AROUND_ONE_VALUE * (max == 0 ? 1 : Math.abs(max));
    double low = min >= 0 ? Math.max(0, min - margin) : min - margin;
    return over(low, max + margin, from, to, count);
  }

  /** From zero to a round value at or above {@code max}. */
  static Axis fromZero(double max, double from, double to, int count) {
    double top = max > 0 ? max : 1;
    double step = step(top / count);
    return over(0, step * Math.ceil(top / step - 1e-9), from, to, count);
  }

  private static Axis over(double low, double high, double from, double to, int count) {
    double step = step((high - low) / count);
    List<Double> ticks = new ArrayList<>();
    // Multiples, not sums: no rounding error adds up.
    for (double i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
      ticks.add(i * step);
    }
    int decimals = 0;
    for (double s = step; decimals < 12 && Math.abs(s - Math.rint(s)) > 1e-6 * s; s *= 10) {
      decimals++;
    }
    return new Axis(low, high, from, to, ticks, decimals);
  }

  /** The smallest of 1, 2, 2.5, 5 times a power of ten that is not below {@code least}. */
  private static double step(double least) {
    double power = Math.pow(10, Math.floor(Math.log10(least)));
    for (double factor : new double[] {1, 2, 2.5, 5}) {
      if (factor * power >= least * (1 - 1e-9)) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  /** The pixel of a value; what lies beyond the ends stays on them. */
  double at(double value) {
    double part = Math.clamp((value - low) / (high - low), 0.0, 1.0);
    return from + part * (to - from);
  }

  String label(double tick) {
    return Format.grouped(tick == 0 ? 0 : tick, decimals);
  }
}
