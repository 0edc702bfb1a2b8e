package dev.smelt.formats.storage;

import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** Staging by a hidden sibling folder and rename, which is atomic within one file system. */
final class LocalStaging implements Staging {

  private final Path target;
  private final Path parent;
  private final Path folder;
  private final Path replaced;
  private final boolean overwrite;
  private final Rename rename;
  private final StagingLock lock;

  /**
   * Parent folders made for this output, innermost last; removed again when nothing is committed.
   */
  private final Deque<Path> madeParents = new ArrayDeque<>();

  private boolean closed;

  /** True when the staging folder has become the target; one of its name would be another run's. */
  private boolean moved;

  LocalStaging(Path target, boolean overwrite) {
    this(target, overwrite, LocalStaging::renameAtomically);
  }

  /**
   * @param rename how finished output is moved
   */
  LocalStaging(Path target, boolean overwrite, Rename rename) {
    Path absolute = target.toAbsolutePath().normalize();
    @Nullable Path name = absolute.getFileName();
    @Nullable Path above = absolute.getParent();
    if (name == null || above == null) {
      throw new UsageException("cannot write to " + target, "name a file or a new folder");
    }
    this.target = absolute;
    this.parent = above;
    this.overwrite = overwrite;
    this.folder = above.resolve("." + name + ".smelt-partial");
    this.replaced = above.resolve("." + name + ".smelt-replaced");
    this.rename = rename;
    try {
      restoreReplaced();
      requireFree();
      makeParents();
      this.lock = claim();
    } catch (IOException e) {
      removeMadeParents();
      throw new StorageException("cannot write", target, e);
    }
    Unfinished.add(this);
  }

  /** Moves a file or folder in one step. */
  interface Rename {
    void move(Path from, Path to) throws IOException;
  }

  private static void renameAtomically(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public Path file(String name) {
    return folder.resolve(name);
  }

  @Override
  public void write(String name, String text) {
    try {
      Files.writeString(file(name), text, StandardOpenOption.CREATE_NEW);
    } catch (IOException e) {
      throw new StorageException("cannot write", file(name), e);
    }
  }

  @Override
  public void makeFolder(String name) {
    try {
      Files.createDirectory(file(name));
    } catch (IOException e) {
      throw new StorageException("cannot write", file(name), e);
    }
  }

  @Override
  public void copy(Path source, String name) {
    try {
      Files.copy(source, file(name));
    } catch (IOException e) {
      throw new StorageException("cannot copy", source, e);
    }
  }

  @Override
  public synchronized void commitFolder() {
    requireOpen();
    requireFree();
    try {
      FileTrees.force(folder, StagingLock.FILE);
      FileTrees.delete(replaced);
      if (exists(target)) {
        rename.move(target, replaced);
      }
      moveIntoPlace();
      moved = true;
      // Held until after the renaming, or another run could take the folder for a stale one.
      Files.deleteIfExists(target.resolve(StagingLock.FILE));
      FileTrees.delete(replaced);
      FileTrees.force(parent);
    } catch (IOException e) {
      throw new StorageException("cannot write", target, e);
    }
    madeParents.clear();
  }

  private void moveIntoPlace() throws IOException {
    try {
      rename.move(folder, target);
    } catch (IOException e) {
      if (exists(replaced)) {
        rename.move(replaced, target);
      }
      throw e;
    }
  }

  @Override
  public synchronized void commitFiles(String... names) {
    requireOpen();
    requireFree();
    try {
      FileTrees.force(folder, StagingLock.FILE);
      for (String name : names) {
        rename.move(folder.resolve(name), parent.resolve(name));
      }
      FileTrees.force(parent);
    } catch (IOException e) {
      throw new StorageException("cannot write", target, e);
    }
    madeParents.clear();
  }

  /** A run that was killed between the two renames of a replacement left the old output aside. */
  private void restoreReplaced() throws IOException {
    if (!exists(target) && exists(replaced)) {
      rename.move(replaced, target);
    }
  }

  /** Looked at before the work and again before the target appears. */
  private void requireFree() {
    if (!overwrite && exists(target)) {
      throw new UsageException(
          "output exists [" + target + "]", "choose another name or pass --overwrite");
    }
  }

  /** An interrupt may come just before the commit. */
  private void requireOpen() {
    if (closed) {
      throw new StorageException("output was given up", target.toString(), "", "run again");
    }
  }

  /** Makes the staging folder, or takes over and empties what a killed run left under its name. */
  private StagingLock claim() throws IOException {
    Files.createDirectories(folder);
    StagingLock claimed =
        StagingLock.of(folder)
            .orElseThrow(
                () ->
                    new UsageException(
                        "another run is writing this output [" + target + "]",
                        "wait for it or choose another name"));
    FileTrees.clear(folder, StagingLock.FILE);
    return claimed;
  }

  private static boolean exists(Path path) {
    return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
  }

  /** May be called twice, and by the owner and an ending process at once. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    Unfinished.remove(this);
    try (lock) {
      if (!moved) {
        FileTrees.delete(folder);
      }
    } catch (IOException e) {
      throw new StorageException("cannot remove unfinished output", folder, e);
    } finally {
      removeMadeParents();
    }
  }

  private void makeParents() throws IOException {
    Deque<Path> missing = new ArrayDeque<>();
    for (@Nullable Path at = parent; at != null && !Files.exists(at); at = at.getParent()) {
      missing.push(at);
    }
    for (Path path : missing) {
      try {
        Files.createDirectory(path);
        madeParents.push(path);
      } catch (FileAlreadyExistsException e) {
        // Another run may have made the same parent just now; then it is not ours to remove.
        if (!Files.isDirectory(path)) {
          throw e;
        }
      }
    }
  }

  private void removeMadeParents() {
    for (Path path : madeParents) {
      // A folder that someone else has put something into meanwhile stays.
      if (!path.toFile().delete()) {
        break;
      }
    }
    madeParents.clear();
  }
}
