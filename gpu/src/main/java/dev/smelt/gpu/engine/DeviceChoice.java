package dev.smelt.gpu.engine;

import dev.smelt.formats.UsageException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which device the user asked for.
 *
 * @param kind what was asked
 * @param index which GPU; 0 for the other kinds
 */
public record DeviceChoice(Kind kind, int index) {

  /** The first GPU if there is one, or else the CPU. */
  public static final DeviceChoice AUTO = new DeviceChoice(Kind.AUTO, 0);

  public static final DeviceChoice CPU = new DeviceChoice(Kind.CPU, 0);

  private static final Pattern GPU = Pattern.compile("gpu(?::(\\d{1,4}))?");

  /** What was asked. */
  public enum Kind {
    AUTO,
    CPU,
    GPU
  }

  public DeviceChoice {
    if (index < 0 || (kind != Kind.GPU && index != 0)) {
      throw new IllegalArgumentException(kind + " cannot have index " + index);
    }
  }

  /**
   * Reads {@code auto}, {@code cpu}, {@code gpu} or {@code gpu:i}.
   *
   * @throws UsageException on anything else
   */
  public static DeviceChoice parse(String text) {
    Matcher gpu = GPU.matcher(text);
    if (gpu.matches()) {
      String index = gpu.group(1);
      return new DeviceChoice(Kind.GPU, index == null ? 0 : Integer.parseInt(index));
    }
    return switch (text) {
      case "auto" -> AUTO;
      case "cpu" -> CPU;
      default ->
          throw new UsageException("no such device '" + text + "'", "use auto, cpu, gpu or gpu:i");
    };
  }

  @Override
  public String toString() {
    return switch (kind) {
      case AUTO -> "auto";
      case CPU -> "cpu";
      case GPU -> "gpu:" + index;
    };
  }
}
