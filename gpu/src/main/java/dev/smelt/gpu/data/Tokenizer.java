package dev.smelt.gpu.data;

import java.util.Optional;
import java.util.OptionalInt;

/** Turns text into token ids. */
public interface Tokenizer extends AutoCloseable {

  /**
   * A whole input of a classifier.
   *
   * @param tokens with the special tokens that the model was trained with
   * @param segments for each token 0, or 1 in the second text of a pair
   * @param truncated whether text had to be cut off
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Sequence(int[] tokens, int[] segments, boolean truncated) {}

  /** What it is, for a person: "byte-level", "tokenizer.json". */
  String description();

  /** All tokens of a text, without special tokens. */
  int[] encode(String text);

  /**
   * A text or a pair of texts with special tokens, in at most {@code maxLength} tokens. Where that
   * is too few, the end of the longer text is cut off and the special tokens stay.
   */
  Sequence encode(String text, Optional<String> pair, int maxLength);

  /** The token that hides another one, where the model was trained with such. */
  OptionalInt maskToken();

  /** Whether a token stands for no text: beginning, end, padding, unknown, mask. */
  boolean isSpecial(int token);

  @Override
  void close();
}
