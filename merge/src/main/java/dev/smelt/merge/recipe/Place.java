package dev.smelt.merge.recipe;

import java.nio.file.Path;

/**
 * Where something stands in a recipe.
 *
 * @param line counted from 1
 */
public record Place(Path file, int line) {

  @Override
  public String toString() {
    return file + ":" + line;
  }
}
