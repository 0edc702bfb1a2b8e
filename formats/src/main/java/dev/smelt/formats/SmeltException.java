package dev.smelt.formats;

/**
 * A refusal that the user can act on. The message is one line: what happened, where in brackets,
 * expected against found, and after a semicolon what to do.
 */
public abstract sealed class SmeltException extends RuntimeException
    permits BadInputException, StorageException, UsageException, GateException {

  private static final long serialVersionUID = 1L;

  SmeltException(String message, @org.jspecify.annotations.Nullable Throwable cause) {
    super(message, cause);
  }

  /** Joins the parts of a refusal; empty parts are left out. */
  static String line(String what, String where, String detail, String advice) {
    StringBuilder line = new StringBuilder(what);
    if (!where.isEmpty()) {
      line.append(" [").append(where).append(']');
    }
    if (!detail.isEmpty()) {
      line.append(' ').append(detail);
    }
    if (!advice.isEmpty()) {
      line.append("; ").append(advice);
    }
    return line.toString();
  }
}
