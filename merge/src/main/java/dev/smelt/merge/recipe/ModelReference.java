package dev.smelt.merge.recipe;

import java.util.Optional;

/**
 * A model as a recipe names it; equal ones are the same model.
 *
 * @param path of a checkpoint, or the name of an earlier stage
 * @param adapter folder of an adapter that is laid over it
 */
public record ModelReference(String path, Optional<String> adapter) {

  static final char ADAPTER = '+';
  static final char REVISION = '@';

  @Override
  public String toString() {
    return adapter.map(folder -> path + ADAPTER + folder).orElse(path);
  }
}
