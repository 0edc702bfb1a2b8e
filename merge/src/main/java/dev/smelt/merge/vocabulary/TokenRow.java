package dev.smelt.merge.vocabulary;

import java.util.Optional;

/**
 * What a token's row is in models that do not have the token.
 *
 * @param source absent: as for any other token
 * @param force in models that have the token as well
 */
public record TokenRow(Optional<Source> source, boolean force) {

  /** A row. Models are counted from 0, the base first if it is one of them. */
  public sealed interface Source {

    /** Zeros. */
    record Zero() implements Source {}

    /** The row that the token has in a model. */
    record OfModel(int model) implements Source {}

    /** The row of a token of a model, which may be another one. */
    record OfToken(int model, String token) implements Source {}

    /** The row of that number in a model. */
    record OfId(int model, int id) implements Source {}
  }
}
