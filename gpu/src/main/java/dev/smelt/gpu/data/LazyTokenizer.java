package dev.smelt.gpu.data;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A tokenizer that is opened when it is first used. */
final class LazyTokenizer implements Tokenizer {

  private final Supplier<Tokenizer> opener;
  private @Nullable Tokenizer opened;

  LazyTokenizer(Supplier<Tokenizer> opener) {
    this.opener = opener;
  }

  private Tokenizer opened() {
    Tokenizer known = opened;
    if (known == null) {
      known = opener.get();
      opened = known;
    }
    return known;
  }

  @Override
  public String description() {
    return opened().description();
  }

  @Override
  public int[] encode(String text) {
    return opened().encode(text);
  }

  @Override
  public Sequence encode(String text, Optional<String> pair, int maxLength) {
    return opened().encode(text, pair, maxLength);
  }

  @Override
  public OptionalInt maskToken() {
    return opened().maskToken();
  }

  @Override
  public boolean isSpecial(int token) {
    return opened().isSpecial(token);
  }

  @Override
  public void close() {
    Tokenizer known = opened;
    if (known != null) {
      known.close();
    }
  }
}
