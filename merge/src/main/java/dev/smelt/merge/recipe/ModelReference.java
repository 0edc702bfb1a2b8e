package dev.smelt.merge.recipe;

import java.util.Objects;
import java.util.Optional;

/**
 * A model as a recipe names it; equal ones are the same model.
 *
 * @param path of a checkpoint, or the name of an earlier stage
 * @param adapter folder of an adapter that is laid over it
 * @param place where it is named, which makes no difference
 */
public record ModelReference(String path, Optional<String> adapter, Place place) {

  static final char ADAPTER = '+';
  static final char REVISION = '@';

  @Override
  public boolean equals(Object other) {
    return other instanceof ModelReference that
        && path.equals(that.path)
        && adapter.equals(that.adapter);
  }

  @Override
  public int hashCode() {
    return Objects.hash(path, adapter);
  }

  @Override
  public String toString() {
    return adapter.map(folder -> path + ADAPTER + folder).orElse(path);
  }
}
