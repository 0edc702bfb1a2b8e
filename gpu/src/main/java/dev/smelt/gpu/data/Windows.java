package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UsageException;
import java.util.Arrays;
import java.util.Optional;

/**
 * Cuts a long text into windows of one length, one after the other; what is left at the end and
 * does not fill one is dropped.
 *
 * @param before special tokens at the beginning of each
 * @param body tokens of the text in each
 * @param after special tokens at the end of each
 * @param masking what is predicted: hidden tokens, or the next ones when empty
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
record Windows(int[] before, int body, int[] after, Optional<Masking> masking) {

  private static final int[] NONE = {};

  /** Some text that every tokenizer makes ordinary tokens of. */
  private static final String PROBE = "a";

  /** Inputs from token i·T on, T of them, and as targets the same shifted by one. */
  static Windows shifted(int length) {
    return new Windows(NONE, length, NONE, Optional.empty());
  }

  /** Windows of {@code length} tokens, with the special tokens that stand around a text. */
  static Windows masked(int length, Tokenizer tokenizer, Masking masking, String where) {
    int[] probe = tokenizer.encode(PROBE, Optional.empty(), Integer.MAX_VALUE).tokens();
    int first = 0;
    while (first < probe.length && tokenizer.isSpecial(probe[first])) {
      first++;
    }
    int last = probe.length;
    while (last > first && tokenizer.isSpecial(probe[last - 1])) {
      last--;
    }
    int[] before = Arrays.copyOf(probe, first);
    int[] after = Arrays.copyOfRange(probe, last, probe.length);
    int body = length - before.length - after.length;
    if (body < 1) {
      throw new UsageException(
          "--seq-len " + length + " leaves no room for text beside special tokens [" + where + "]",
          "use at least " + (length - body + 1));
    }
    return new Windows(before, body, after, Optional.of(masking));
  }

  /** A text of its own: at most {@code length} inputs, and as targets the same shifted by one. */
  static Example.Window continuation(int[] tokens, int length, String where) {
    if (tokens.length < 2) {
      throw new CorruptException(
          "text too short", where, "has " + tokens.length + " tokens, at least 2 needed", "");
    }
    int inputs = Math.min(length, tokens.length - 1);
    return new Example.Window(
        Arrays.copyOf(tokens, inputs), Arrays.copyOfRange(tokens, 1, inputs + 1));
  }

  /** Tokens that a text must have for one window. */
  int needed() {
    return masking.isPresent() ? body : body + 1;
  }

  /** Full windows of a text. */
  int count(int[] tokens) {
    return Math.max(0, tokens.length - (needed() - body)) / body;
  }

  Example window(int i, int[] tokens, String where) {
    int from = i * body;
    int[] inputs = Arrays.copyOfRange(tokens, from, from + body);
    if (masking.isEmpty()) {
      return new Example.Window(inputs, Arrays.copyOfRange(tokens, from + 1, from + body + 1));
    }
    int[] framed = Arrays.copyOf(before, before.length + body + after.length);
    System.arraycopy(inputs, 0, framed, before.length, body);
    System.arraycopy(after, 0, framed, before.length + body, after.length);
    return masking.get().hide(i, framed, new int[framed.length], where);
  }
}
