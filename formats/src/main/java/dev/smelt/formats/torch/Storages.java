package dev.smelt.formats.torch;

import java.lang.foreign.MemorySegment;

/** Where the data of storages lie. */
@FunctionalInterface
interface Storages {

  /**
   * The data of a storage, exactly as long as the reference says.
   *
   * @param tensor that needs it, for refusals
   */
  MemorySegment data(StorageReference storage, String tensor);
}
