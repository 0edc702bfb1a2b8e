package dev.smelt.formats.storage;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.stream.Stream;

/** Folders with all they hold. Links are never followed. */
final class FileTrees {

  private FileTrees() {}

  /** Deletes {@code root} if it is there. */
  static void delete(Path root) throws IOException {
    if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    for (Path path : below(root)) {
      Files.deleteIfExists(path);
    }
  }

  /** Deletes what is in {@code root}, except the entry of that name. */
  static void clear(Path root, String except) throws IOException {
    for (Path path : below(root)) {
      if (!path.equals(root) && !path.equals(root.resolve(except))) {
        Files.deleteIfExists(path);
      }
    }
  }

  /** Flushes everything in {@code root}, except the entry of that name, and then itself. */
  static void force(Path root, String except) throws IOException {
    for (Path path : below(root)) {
      if (!path.equals(root.resolve(except))) {
        force(path);
      }
    }
  }

  /** Flushes a file or a folder's entries. */
  static void force(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** The tree, children before their parents. */
  private static Iterable<Path> below(Path root) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths.sorted(Comparator.reverseOrder()).toList();
    }
  }
}
