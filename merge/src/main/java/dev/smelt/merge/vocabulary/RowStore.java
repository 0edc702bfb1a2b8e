package dev.smelt.merge.vocabulary;

import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Where matrices lie whose rows are not those of a file; made when the first one is. */
final class RowStore implements AutoCloseable {

  private final Path near;
  private @Nullable Scratch scratch;
  private boolean closed;

  /**
   * @param near a file or folder on whose disk there is room
   */
  RowStore(Path near) {
    this.near = near;
  }

  /** Zeros to be filled. */
  synchronized MemorySegment allocate(long bytes) {
    if (closed) {
      throw new IllegalStateException("closed");
    }
    if (scratch == null) {
      scratch = Storage.local().scratch(near);
    }
    return scratch.allocate(bytes);
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (scratch != null) {
      scratch.close();
    }
  }
}
