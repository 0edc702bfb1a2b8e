package dev.smelt.bench;

import dev.smelt.gpu.data.Tokenizer;
import java.util.Optional;

/** For data that are tokens already. */
final class NoTokenizer implements Tokenizer {

  @Override
  public String description() {
    return "none";
  }

  @Override
  public int[] encode(String text) {
    throw new IllegalStateException("no text expected");
  }

  @Override
  public Sequence encode(String text, Optional<String> pair, int maxLength) {
    throw new IllegalStateException("no text expected");
  }

  @Override
  public void close() {}
}
