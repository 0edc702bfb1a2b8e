package dev.smelt.formats.storage;

import java.nio.file.Path;

/**
 * An output in the making. Files are written into a hidden folder beside the target; committing
 * makes them visible by renaming, and closing without it leaves nothing behind, also when the
 * process is interrupted.
 */
public interface Staging extends AutoCloseable {

  /** Where file {@code name} of the output is to be written. */
  Path file(String name);

  /** Writes a small file of the output. */
  void write(String name, String text);

  /** Makes a folder inside the output; names of its files begin with {@code <name>/}. */
  void makeFolder(String name);

  /** Copies a file into the output as file {@code name}. */
  void copy(Path file, String name);

  /** Makes the staged folder the target folder. */
  void commitFolder();

  /**
   * Moves the named staged files beside each other into the target's parent, in this order; the
   * last one should be the one whose presence means "done".
   */
  void commitFiles(String... names);

  /** Removes what was staged unless it was committed. */
  @Override
  void close();
}
