package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads {@code tokenizer_source} and {@code tokenizer}. */
final class TokenizerReader {

  static final String SOURCE_KEY = "tokenizer_source";
  static final String KEY = "tokenizer";

  private static final String SOURCE = "source";
  private static final String TOKENS = "tokens";
  private static final String PAD = "pad_to_multiple_of";
  private static final String MODEL = "model:";

  private TokenizerReader() {}

  static Optional<RecipeTokenizer> read(Yaml.Fields document) {
    Optional<Yaml> source = document.find(SOURCE_KEY);
    Optional<Yaml> tokenizer = document.find(KEY);
    if (source.isPresent() && tokenizer.isPresent()) {
      throw new CorruptException(
          "tokenizer twice",
          tokenizer.get().place().toString(),
          "expected " + SOURCE_KEY + " or " + KEY,
          "remove one of them");
    }
    return source
        .map(value -> request(value, OptionalInt.empty()))
        .or(() -> tokenizer.map(value -> ofFields(value.fields(KEY))));
  }

  private static RecipeTokenizer ofFields(Yaml.Fields fields) {
    fields.only(KEY, List.of(SOURCE, TOKENS, PAD));
    fields
        .find(TOKENS)
        .ifPresent(
            found -> {
              throw new UnsupportedException(
                  "not supported", found.place().toString(), TOKENS + " of " + KEY, "leave it out");
            });
    OptionalInt pad = fields.find(PAD).map(TokenizerReader::multiple).orElseGet(OptionalInt::empty);
    return fields
        .find(SOURCE)
        .map(value -> request(value, pad))
        // As in mergekit.
        .orElseGet(
            () ->
                new RecipeTokenizer(
                    fields.place(), RecipeTokenizer.Kind.UNION, Optional.empty(), pad));
  }

  private static OptionalInt multiple(Yaml value) {
    return value
        .scalar(PAD)
        .number()
        .filter(number -> number == Math.rint(number) && number >= 1 && number <= 1 << 20)
        .map(number -> OptionalInt.of(number.intValue()))
        .orElseThrow(() -> value.refusal("invalid " + PAD, "a whole number >= 1", ""));
  }

  private static RecipeTokenizer request(Yaml value, OptionalInt pad) {
    if (!(value instanceof Yaml.Scalar scalar)) {
      return ofModel(value, pad);
    }
    return switch (scalar.text()) {
      case "base" ->
          new RecipeTokenizer(value.place(), RecipeTokenizer.Kind.BASE, Optional.empty(), pad);
      case "union" ->
          new RecipeTokenizer(value.place(), RecipeTokenizer.Kind.UNION, Optional.empty(), pad);
      default ->
          ofModel(
              new Yaml.Scalar(scalar.place(), scalar.text().replaceFirst("^" + MODEL, ""), false),
              pad);
    };
  }

  private static RecipeTokenizer ofModel(Yaml value, OptionalInt pad) {
    return new RecipeTokenizer(
        value.place(),
        RecipeTokenizer.Kind.MODEL,
        Optional.of(ReferenceReader.read(SOURCE_KEY, value)),
        pad);
  }
}
