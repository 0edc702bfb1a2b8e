package dev.smelt.compress.layer;

import java.util.HashMap;
import java.util.Map;

/**
 * Who answers for what several use together, so that all users account for it once: of n bytes and
 * k users each ⌊n/k⌋, and the first n mod k of them one more.
 */
public final class Shares {

  private final Map<String, Integer> users = new HashMap<>();
  private final Map<String, Integer> served = new HashMap<>();

  /** Counts one more user of a thing; all are counted before the first has its turn. */
  public void use(String thing) {
    users.merge(thing, 1, Integer::sum);
  }

  /** The turn of the next user of a thing; each has one, in a fixed order. */
  public Turn next(String thing) {
    int index = served.merge(thing, 1, Integer::sum) - 1;
    return new Turn(index, users.getOrDefault(thing, 1));
  }

  /**
   * One user among all of a thing.
   *
   * @param index from 0
   */
  public record Turn(int index, int users) {

    /** What it answers for. */
    public long of(long whole) {
      return whole / users + (index < whole % users ? 1 : 0);
    }
  }
}
