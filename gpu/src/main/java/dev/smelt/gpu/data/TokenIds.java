package dev.smelt.gpu.data;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;

/**
 * What token ids must be for a network.
 *
 * @param vocabularySize ids are below it
 * @param maxLength tokens of the longest sequence
 */
record TokenIds(int vocabularySize, int maxLength) {

  /** Ids that a tokenizer made. */
  void requireKnown(int[] tokens, Tokenizer tokenizer, String where) {
    int foreign = foreign(tokens);
    if (foreign >= 0) {
      throw new MismatchException(
          "token outside the vocabulary",
          where,
          "found id " + tokens[foreign] + ", the network has " + vocabularySize,
          "is the tokenizer (" + tokenizer.description() + ") that of another model?");
    }
  }

  /** Ids that stand in the data. */
  void requireKnown(int[] tokens, String where) {
    int foreign = foreign(tokens);
    if (foreign >= 0) {
      throw new MismatchException(
          "token outside the vocabulary",
          where,
          "found id " + tokens[foreign] + ", the network has " + vocabularySize,
          "are the input_ids those of another model's tokenizer?");
    }
  }

  private int foreign(int[] tokens) {
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || tokens[i] >= vocabularySize) {
        return i;
      }
    }
    return -1;
  }

  /** A labelled sequence whose ids stand in the data: where to cut it is not known here. */
  Example.Labelled labelled(int[] tokens, int label, String where) {
    if (tokens.length == 0 || tokens.length > maxLength) {
      throw new LimitException(
          "sequence of the wrong length",
          where,
          "has " + tokens.length + " input_ids, expected 1 to " + maxLength,
          "");
    }
    requireKnown(tokens, where);
    return new Example.Labelled(tokens, new int[tokens.length], label);
  }
}
