package dev.smelt.gpu.statistics;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where statistics will be written, and how often the work so far is kept in case it is killed.
 *
 * @param target the statistics file
 * @param every time between two saves
 * @param resume continue a run that was killed, if there is one
 * @param identity what a run must agree in with the one it continues: model, data and the like
 */
public record Saving(Path target, Duration every, boolean resume, Map<String, String> identity) {

  private static final String ENDING = ".safetensors";
  private static final String PARTIAL = ".partial" + ENDING;

  public Saving {
    identity = Map.copyOf(new TreeMap<>(identity));
  }

  /** Never saves; the target only tells which disk to use. */
  public static Saving never(Path target) {
    return new Saving(target, Duration.ofDays(365), false, Map.of());
  }

  /** The file that holds the work so far, beside the target. */
  public Path partial() {
    String name = String.valueOf(target.getFileName());
    String stem = name.endsWith(ENDING) ? name.substring(0, name.length() - ENDING.length()) : name;
    return target.resolveSibling(stem + PARTIAL);
  }
}
