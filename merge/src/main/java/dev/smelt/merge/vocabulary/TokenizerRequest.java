package dev.smelt.merge.vocabulary;

import dev.smelt.formats.UsageException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.OptionalInt;
import java.util.SequencedMap;

/**
 * Which vocabulary the output is to have.
 *
 * @param tokens tokens whose rows are chosen by hand; those that the vocabulary lacks are added
 * @param padToMultipleOf the number of rows is the next multiple of this; absent: as many rows as
 *     the source of the vocabulary has, or more where there are more tokens
 */
public record TokenizerRequest(
    Source source, SequencedMap<String, TokenRow> tokens, OptionalInt padToMultipleOf) {

  /** Where the vocabulary comes from. */
  public sealed interface Source {

    /** The base's, or without a base the first model's. */
    record Base() implements Source {}

    /** That of the base or first model, and after it what other models have more, in order. */
    record Union() implements Source {}

    /** That of a folder: one of the models, or any with a tokenizer. */
    record Folder(Path path) implements Source {}
  }

  /**
   * @throws UsageException when rows are to be a multiple of less than 1
   */
  public TokenizerRequest {
    tokens = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tokens));
    if (padToMultipleOf.orElse(1) < 1) {
      throw new UsageException(
          "pad_to_multiple_of is " + padToMultipleOf.getAsInt(), "give a positive number");
    }
  }

  /** The vocabulary as it comes from its source. */
  public static TokenizerRequest of(Source source) {
    return new TokenizerRequest(source, new LinkedHashMap<>(), OptionalInt.empty());
  }

  /**
   * @param source {@code base}, {@code union} or a folder
   */
  public static TokenizerRequest parse(String source) {
    return of(
        switch (source) {
          case "base" -> new Source.Base();
          case "union" -> new Source.Union();
          default -> new Source.Folder(Path.of(source));
        });
  }

  /** For the manifest: {@code base}, {@code union} or the folder. */
  public String name() {
    return switch (source) {
      case Source.Base() -> "base";
      case Source.Union() -> "union";
      case Source.Folder(Path path) -> path.toString();
    };
  }
}
