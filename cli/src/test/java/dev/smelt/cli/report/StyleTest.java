package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The palette against WCAG 2.2: 4.5 for text, 3 for marks, in light and in dark. */
class StyleTest {

  private static final double TEXT = 4.5;
  private static final double MARK = 3;
  private static final Pattern COLOUR = Pattern.compile("--([\\w-]+): #(\\p{XDigit}{6})");

  @Test
  void coloursCanBeTold() {
    String[] themes = Resources.text("report.css").split("prefers-color-scheme: dark", -1);
    assertThat(themes).hasSize(2);
    for (String theme : themes) {
      Map<String, Double> light = new HashMap<>();
      for (MatchResult match : COLOUR.matcher(theme).results().toList()) {
        light.put(match.group(1), luminance(Integer.parseInt(match.group(2), 16)));
      }
      for (String back : List.of("page", "surface", "stripe")) {
        for (String text : List.of("ink", "muted", "good", "bad")) {
          check(light, text, back, TEXT);
        }
      }
      check(light, "after", "page", TEXT);
      check(light, "good", "good-back", TEXT);
      check(light, "bad", "bad-back", TEXT);
      for (String mark :
          List.of("before", "after", "also", "frontier", "k0", "k1", "k2", "k3", "k4", "k5")) {
        check(light, mark, "surface", MARK);
        check(light, mark, "stripe", MARK);
      }
    }
  }

  private static void check(Map<String, Double> light, String fore, String back, double least) {
    assertThat(light).containsKeys(fore, back);
    double a = light.getOrDefault(fore, 0.0);
    double b = light.getOrDefault(back, 0.0);
    double contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    assertThat(contrast).as("%s on %s", fore, back).isGreaterThanOrEqualTo(least);
  }

  private static double luminance(int rgb) {
    return 0.2126 * linear(rgb >> 16 & 255)
        + 0.7152 * linear(rgb >> 8 & 255)
        + 0.0722 * linear(rgb & 255);
  }

  private static double linear(int channel) {
    double c = channel / 255.0;
    return c <= 0.04045 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4);
  }
}
