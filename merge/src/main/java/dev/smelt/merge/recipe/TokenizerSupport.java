package dev.smelt.merge.recipe;

import dev.smelt.formats.UnsupportedException;
import java.util.Optional;

/** Which tokenizers an output can have: that of the model which gives it its side files. */
public final class TokenizerSupport {

  private TokenizerSupport() {}

  /**
   * @throws UnsupportedException when another one is asked for
   */
  public static void require(Stage stage) {
    if (stage.tokenizer().isEmpty()) {
      return;
    }
    TokenizerRequest request = stage.tokenizer().get();
    ModelReference donor =
        stage.base().orElse(stage.slices().getFirst().sources().getFirst().model());
    boolean donors =
        switch (request.kind()) {
          case BASE -> stage.base().isPresent();
          case MODEL -> request.model().equals(Optional.of(donor));
          case UNION -> false;
        };
    if (!donors || request.padTo().isPresent()) {
      throw new UnsupportedException(
          "tokenizer not supported",
          request.place().toString(),
          "expected that of "
              + donor
              + ", whose config and side files the output gets, found "
              + text(request),
          "leave it out, or make that model the base_model");
    }
  }

  private static String text(TokenizerRequest request) {
    String source =
        switch (request.kind()) {
          case BASE -> "base, without base_model";
          case MODEL -> request.model().map(ModelReference::toString).orElseThrow();
          case UNION -> "union";
        };
    return request.padTo().isPresent()
        ? source + " filled up to a multiple of " + request.padTo().getAsInt()
        : source;
  }
}
