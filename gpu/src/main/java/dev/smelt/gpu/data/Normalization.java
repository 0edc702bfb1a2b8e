package dev.smelt.gpu.data;

import dev.smelt.formats.UsageException;
import java.util.Arrays;
import java.util.List;

/**
 * What is done to a value v of a channel c, 0 to 1: (v − mean_c) / deviation_c.
 *
 * @param mean of red, green and blue
 * @param deviation of red, green and blue, positive
 */
public record Normalization(List<Double> mean, List<Double> deviation) {

  private static final String ADVICE = "write mean/deviation, as 0.5,0.5,0.5/0.25,0.25,0.25";

  public Normalization {
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
    boolean complete = mean.size() == Rgb.CHANNELS && deviation.size() == Rgb.CHANNELS;
    boolean finite =
        mean.stream().allMatch(Double::isFinite)
            && deviation.stream().allMatch(d -> Double.isFinite(d) && d > 0);
    if (!complete || !finite) {
      throw new UsageException(
          "--normalize needs three finite means and three positive deviations, found "
              + mean
              + " and "
              + deviation,
          ADVICE);
    }
  }

  /**
   * Reads {@code 0.485,0.456,0.406/0.229,0.224,0.225}.
   *
   * @throws UsageException on anything else
   */
  public static Normalization parse(String text) {
    String[] parts = text.split("/", -1);
    if (parts.length != 2) {
      throw new UsageException("cannot read --normalize " + text, ADVICE);
    }
    try {
      return new Normalization(numbers(parts[0]), numbers(parts[1]));
    } catch (NumberFormatException e) {
      throw new UsageException("cannot read --normalize " + text, ADVICE);
    }
  }

  private static List<Double> numbers(String text) {
    return Arrays.stream(text.split(",", -1)).map(Double::valueOf).toList();
  }
}
