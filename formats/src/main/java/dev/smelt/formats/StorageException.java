package dev.smelt.formats;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;

/** The disk said no: a target that cannot be written, no space, an input that cannot be read. */
public final class StorageException extends SmeltException {

  private static final long serialVersionUID = 1L;

  public StorageException(String what, String where, String detail, String advice) {
    super(line(what, where, detail, advice), null);
  }

  /** Wraps what the operating system said about {@code path}. */
  public StorageException(String what, Path path, IOException cause) {
    super(
        line(what, path.toString(), reason(cause), "check the path, its rights and free space"),
        cause);
  }

  private static String reason(IOException cause) {
    if (cause instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (cause instanceof FileSystemException system && system.getReason() != null) {
      return system.getReason();
    }
    String message = cause.getMessage();
    return message == null ? cause.getClass().getSimpleName() : message;
  }
}
