package dev.smelt.merge;

/** What to do with task heads that the models do not share: missing somewhere or of other shape. */
public enum HeadPolicy {
  /** The first model's head, as it is; heads that only later models have are left out. */
  FIRST,
  /** Refuse to merge such models. */
  ERROR
}
