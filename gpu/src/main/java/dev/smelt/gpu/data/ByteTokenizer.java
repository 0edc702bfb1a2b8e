package dev.smelt.gpu.data;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Token id = byte of the UTF-8 text. There are no special tokens; a pair is one after the other.
 */
final class ByteTokenizer implements Tokenizer {

  /** Ids are below it. */
  static final int VOCABULARY_SIZE = 256;

  @Override
  public String description() {
    return "byte-level";
  }

  @Override
  public int[] encode(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] tokens = new int[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      tokens[i] = Byte.toUnsignedInt(bytes[i]);
    }
    return tokens;
  }

  @Override
  public Sequence encode(String text, Optional<String> pair, int maxLength) {
    int[] first = encode(text);
    int[] second = pair.map(this::encode).orElse(new int[0]);
    int firstKept = first.length;
    int secondKept = second.length;
    while (firstKept + secondKept > maxLength) {
      if (firstKept >= secondKept) {
        firstKept--;
      } else {
        secondKept--;
      }
    }
    int[] tokens = Arrays.copyOf(first, firstKept + secondKept);
    System.arraycopy(second, 0, tokens, firstKept, secondKept);
    int[] segments = new int[tokens.length];
    Arrays.fill(segments, firstKept, segments.length, 1);
    return new Sequence(tokens, segments, tokens.length < first.length + second.length);
  }

  @Override
  public OptionalInt maskToken() {
    return OptionalInt.empty();
  }

  @Override
  public boolean isSpecial(int token) {
    return false;
  }

  @Override
  public void close() {
    // Holds nothing.
  }
}
