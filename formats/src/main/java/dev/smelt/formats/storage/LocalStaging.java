package dev.smelt.formats.storage;

import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Staging by a hidden sibling folder and rename, which is atomic within one file system. */
final class LocalStaging implements Staging {

  private final Path target;
  private final Path parent;
  private final Path folder;
  private final Path replaced;
  private final boolean overwrite;

  /**
   * Parent folders made for this output, innermost last; removed again when nothing is committed.
   */
  private final Deque<Path> madeParents = new ArrayDeque<>();

  private final Thread cleanUp = new Thread(this::discard, "smelt-discard-staged");
  private boolean closed;

  LocalStaging(Path target, boolean overwrite) {
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
    if (Files.exists(absolute) && !overwrite) {
      throw new UsageException(
          "output exists [" + target + "]", "choose another name or pass --overwrite");
    }
    try {
      makeParents();
      // What a killed run left under this name is of no use to anyone.
      deleteTree(folder);
      Files.createDirectory(folder);
    } catch (IOException e) {
      removeMadeParents();
      throw new StorageException("cannot write", target, e);
    }
    Runtime.getRuntime().addShutdownHook(cleanUp);
  }

  @Override
  public Path file(String name) {
    return folder.resolve(name);
  }

  @Override
  public void commitFolder() {
    try {
      forceTree();
      deleteTree(replaced);
      if (overwrite && Files.exists(target)) {
        Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(folder, target, StandardCopyOption.ATOMIC_MOVE);
      deleteTree(replaced);
      force(parent);
    } catch (IOException e) {
      throw new StorageException("cannot write", target, e);
    }
    madeParents.clear();
  }

  @Override
  public void commitFiles(String... names) {
    try {
      forceTree();
      for (String name : names) {
        Files.move(
            folder.resolve(name),
            parent.resolve(name),
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
      }
      force(parent);
    } catch (IOException e) {
      throw new StorageException("cannot write", target, e);
    }
    madeParents.clear();
  }

  @Override
  public void close() {
    if (discard()) {
      Runtime.getRuntime().removeShutdownHook(cleanUp);
    }
  }

  /** Safe to run twice, from the owner and from the shutdown hook. */
  private synchronized boolean discard() {
    if (closed) {
      return false;
    }
    closed = true;
    try {
      deleteTree(folder);
    } catch (IOException e) {
      throw new StorageException("cannot remove unfinished output", folder, e);
    } finally {
      removeMadeParents();
    }
    return true;
  }

  private void makeParents() throws IOException {
    Deque<Path> missing = new ArrayDeque<>();
    for (@Nullable Path at = parent; at != null && !Files.exists(at); at = at.getParent()) {
      missing.push(at);
    }
    for (Path path : missing) {
      Files.createDirectory(path);
      madeParents.push(path);
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

  private void forceTree() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      files.forEach(LocalStaging::forceUnchecked);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static void forceUnchecked(Path path) {
    try {
      force(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Flushes a file or, on systems that allow it, a folder's entries. */
  private static void force(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
