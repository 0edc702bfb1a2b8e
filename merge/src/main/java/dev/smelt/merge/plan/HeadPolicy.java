package dev.smelt.merge.plan;

import java.util.Locale;

/** What to do with task heads that the models do not share: missing somewhere or of other shape. */
public enum HeadPolicy {
  /** The first model's head, as it is; heads that only later models have are left out. */
  FIRST,
  /** Refuse to merge such models. */
  ERROR;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
