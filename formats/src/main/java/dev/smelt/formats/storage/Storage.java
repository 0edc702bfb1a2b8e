package dev.smelt.formats.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * What the toolchain needs of a disk. The local file system is the only implementation; another one
 * (an object store, a shared volume of an engine that spreads jobs) has to offer just this.
 */
public interface Storage {

  static Storage local() {
    return LocalStorage.INSTANCE;
  }

  boolean exists(Path path);

  boolean isFolder(Path path);

  boolean isEmptyFolder(Path path);

  /**
   * True when {@code path} is {@code folder} or lies in it, links followed; both may be missing.
   */
  boolean isInside(Path path, Path folder);

  long size(Path file);

  /** The files of a folder, without sub-folders, by name. */
  List<Path> files(Path folder);

  /** The sub-folders of a folder, by name. */
  List<Path> folders(Path folder);

  /** A small file as a whole; refused above {@code limit} bytes. */
  byte[] read(Path file, long limit);

  /** A file mapped read-only for as long as {@code arena} lives; any size. */
  MemorySegment map(Path file, Arena arena);

  /** Removes a file, if it is there. */
  void delete(Path file);

  /** A place for intermediate data on the same disk as {@code target}, gone when it is closed. */
  Scratch scratch(Path target);

  /** Removes what is staged and not committed, before the process ends on an interrupt. */
  void discardUnfinished();

  /** Begins an all-or-nothing write of {@code target}, which appears only when it is committed. */
  Staging stage(Path target, boolean overwrite);
}
