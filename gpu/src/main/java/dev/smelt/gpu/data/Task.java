package dev.smelt.gpu.data;

/** What is predicted. */
public enum Task {
  /** The next token, at every position. */
  LANGUAGE_MODELING("language modelling"),
  /** The tokens that were hidden. */
  MASKED_LANGUAGE_MODELING("masked language modelling"),
  /** One of a few classes, for a whole example. */
  CLASSIFICATION("classification");

  private final String words;

  Task(String words) {
    this.words = words;
  }

  /** Whether what is predicted is a token of the vocabulary. */
  public boolean predictsTokens() {
    return this != CLASSIFICATION;
  }

  @Override
  public String toString() {
    return words;
  }
}
