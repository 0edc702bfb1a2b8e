package dev.smelt.formats.storage;

import java.lang.foreign.MemorySegment;

/** Intermediate data that would not fit into memory; it lives on disk until this is closed. */
public interface Scratch extends AutoCloseable {

  /** Copies {@code bytes} to disk and returns them mapped, read-only, until {@link #close()}. */
  MemorySegment store(MemorySegment bytes);

  /**
   * Zeros on disk, mapped for reading and writing until {@link #close()}.
   *
   * @throws dev.smelt.formats.StorageException when the disk has not the space
   */
  MemorySegment allocate(long bytes);

  @Override
  void close();
}
