package dev.smelt.compress.structure;

import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import java.util.Optional;

/**
 * What is left out, whatever the share of it.
 *
 * @param multiple what stays of a layer is rounded up to a multiple of this; of blocks, what stays
 *     of the model
 * @param overall whether the smallest of the whole model go, rather than the same share of each
 *     layer; of blocks always
 * @param dtype of all floats that are written; absent: as they are
 */
public record StructureOptions(
    StructurePattern pattern, int multiple, boolean overall, Optional<DType> dtype) {

  /**
   * @throws UsageException when the multiple is less than 1
   */
  public StructureOptions {
    if (multiple < 1) {
      throw new UsageException("--multiple must be at least 1, found " + multiple, "");
    }
  }

  public static StructureOptions of(StructurePattern pattern) {
    return new StructureOptions(pattern, 1, false, Optional.empty());
  }
}
