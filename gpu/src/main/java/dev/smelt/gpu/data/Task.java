package dev.smelt.gpu.data;

/** What a network predicts. */
public enum Task {
  /** The next token, at every position. */
  LANGUAGE_MODELING("language modelling"),
  /** One of a few classes, for a whole sequence. */
  SEQUENCE_CLASSIFICATION("sequence classification");

  private final String words;

  Task(String words) {
    this.words = words;
  }

  @Override
  public String toString() {
    return words;
  }
}
