package dev.smelt.merge.recipe;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * Which tokenizer the output is to have.
 *
 * @param model whose, where it is one model's
 * @param padTo the vocabulary is filled up to a multiple of this
 */
public record RecipeTokenizer(
    Place place, Kind kind, Optional<ModelReference> model, OptionalInt padTo) {

  /** Where it comes from. */
  public enum Kind {
    BASE,
    MODEL,
    UNION
  }
}
