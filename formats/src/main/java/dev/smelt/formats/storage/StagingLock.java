package dev.smelt.formats.storage;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Shows that a run is writing into a staging folder. The system releases the lock with the process,
 * so what a killed run left is told from what a live one is making.
 */
final class StagingLock implements AutoCloseable {

  /** Inside the staging folder, so that there is one thing to leave behind and to remove. */
  static final String FILE = ".smelt-lock";

  /**
   * Folders locked by this process: opening and closing a lock file a second time would release the
   * first lock on POSIX systems.
   */
  private static final Set<Path> OURS = ConcurrentHashMap.newKeySet();

  private final Path folder;
  private final FileChannel channel;

  private StagingLock(Path folder, FileChannel channel) {
    this.folder = folder;
    this.channel = channel;
  }

  /** The lock of an existing folder; empty when another run, in this process or not, holds it. */
  static Optional<StagingLock> of(Path folder) throws IOException {
    if (!OURS.add(folder)) {
      return Optional.empty();
    }
    Optional<StagingLock> lock = Optional.empty();
    try {
      lock = lockFile(folder);
    } finally {
      if (lock.isEmpty()) {
        OURS.remove(folder);
      }
    }
    return lock;
  }

  private static Optional<StagingLock> lockFile(Path folder) throws IOException {
    Path file = folder.resolve(FILE);
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    boolean held = false;
    try {
      FileLock lock = channel.tryLock();
      // A run that ended between our opening and our locking has taken the file away.
      held = lock != null && Files.exists(file);
    } finally {
      if (!held) {
        channel.close();
      }
    }
    return held ? Optional.of(new StagingLock(folder, channel)) : Optional.empty();
  }

  @Override
  public void close() throws IOException {
    OURS.remove(folder);
    channel.close();
  }
}
