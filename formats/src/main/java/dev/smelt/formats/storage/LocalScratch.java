package dev.smelt.formats.storage;

import dev.smelt.formats.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * One nameless file: it is unlinked as soon as it is open, so that nothing is left of it however
 * the process ends.
 */
final class LocalScratch implements Scratch {

  /** ByteBuffer views are limited to 2 GB. */
  private static final long PART_BYTES = 1 << 24;

  private final Path folder;
  private final FileChannel channel;
  private final FileStore store;
  private final Arena arena = Arena.ofShared();
  private long end;

  LocalScratch(Path folder) {
    this.folder = folder;
    try {
      this.store = Files.getFileStore(folder);
      Path file = Files.createTempFile(folder, ".smelt-scratch", "");
      this.channel =
          FileChannel.open(
              file,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.DELETE_ON_CLOSE);
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new StorageException("cannot write", folder, e);
    }
  }

  @Override
  public synchronized MemorySegment store(MemorySegment bytes) {
    try {
      long start = end;
      for (long at = 0; at < bytes.byteSize(); at += PART_BYTES) {
        long length = Math.min(PART_BYTES, bytes.byteSize() - at);
        ByteBuffer part = bytes.asSlice(at, length).asByteBuffer();
        while (part.hasRemaining()) {
          end += channel.write(part, end);
        }
      }
      return channel.map(MapMode.READ_ONLY, start, bytes.byteSize(), arena);
    } catch (IOException e) {
      throw new StorageException("cannot write", folder, e);
    }
  }

  @Override
  public synchronized MemorySegment allocate(long bytes) {
    try {
      long free = store.getUsableSpace();
      if (bytes > free) {
        throw new StorageException(
            "not enough space for intermediate data",
            folder.toString(),
            "needs " + bytes + " bytes, " + free + " are free",
            "free some, or write to another disk");
      }
      long start = end;
      end += bytes;
      return channel.map(MapMode.READ_WRITE, start, bytes, arena);
    } catch (IOException e) {
      throw new StorageException("cannot write", folder, e);
    }
  }

  @Override
  public void close() {
    try (channel) {
      arena.close();
    } catch (IOException e) {
      throw new StorageException("cannot write", folder, e);
    }
  }
}
