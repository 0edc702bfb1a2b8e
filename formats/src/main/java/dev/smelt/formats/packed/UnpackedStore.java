package dev.smelt.formats.packed;

import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where unpacked tensors lie: in a mapped file among the temporary ones of the system, made when it
 * is first needed. So the system can move them out of memory, and headers are read without it.
 */
final class UnpackedStore implements AutoCloseable {

  private @Nullable Scratch scratch;
  private boolean closed;

  /** Zeros to be filled. */
  synchronized MemorySegment allocate(long bytes) {
    if (closed) {
      throw new IllegalStateException("the checkpoint is closed");
    }
    if (scratch == null) {
      scratch = Storage.local().scratch(Path.of(System.getProperty("java.io.tmpdir")));
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
