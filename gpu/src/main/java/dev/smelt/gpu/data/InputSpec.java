package dev.smelt.gpu.data;

import java.util.List;

/** What a network takes, as far as data must know. */
public sealed interface InputSpec {

  /** Names of the classes by index; empty where none are known or a token is predicted. */
  List<String> labels();

  /**
   * Sequences of tokens.
   *
   * @param task what is predicted
   * @param maxPositions longest sequence, in tokens
   * @param vocabularySize token ids are below it
   */
  record Tokens(Task task, int maxPositions, int vocabularySize, List<String> labels)
      implements InputSpec {

    public Tokens {
      labels = List.copyOf(labels);
    }
  }

  /** Images [channels, height, width], each of one class. */
  record Images(int channels, int height, int width, List<String> labels) implements InputSpec {

    public Images {
      labels = List.copyOf(labels);
    }
  }

  /** A script says nothing of what it takes: the data decides, and the script may refuse. */
  record Open() implements InputSpec {

    @Override
    public List<String> labels() {
      return List.of();
    }

    /** Sequences of unknown bounds: nothing is checked of length, vocabulary and classes. */
    Tokens tokens(Task task) {
      return new Tokens(task, Integer.MAX_VALUE, Integer.MAX_VALUE, List.of());
    }
  }
}
