package dev.smelt.compress.prune;

import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import java.util.Optional;

/**
 * What may go, whatever the share of it.
 *
 * @param scope of patterns without groups
 * @param allocation of scopes within a tensor
 * @param dtype of all floats that are written; absent: as they are
 */
public record PruneOptions(
    PruneSelection selection,
    Pattern pattern,
    Scope scope,
    Allocation allocation,
    Optional<DType> dtype) {

  /**
   * @throws UsageException when they do not go together
   */
  public PruneOptions {
    if (allocation == Allocation.LOSS && scope == Scope.GLOBAL) {
      throw new UsageException(
          "--scope global divides by itself what --allocation would divide",
          "use --scope tensor or row, or leave out --allocation");
    }
    if (allocation == Allocation.LOSS && pattern instanceof Pattern.Groups) {
      throw new UsageException(
          "--pattern " + pattern + " takes the same share of every tensor",
          "leave out --allocation");
    }
  }
}
