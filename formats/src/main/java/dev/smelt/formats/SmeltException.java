package dev.smelt.formats;

/**
 * A refusal that the user can act on. The message is one line: what happened, where in brackets,
 * expected against found, and after a semicolon what to do.
 */
public abstract sealed class SmeltException extends RuntimeException
    permits BadInputException, StorageException, DeviceException, UsageException, GateException {

  private static final long serialVersionUID = 1L;

  /** Longer parts are cut in their middle: a hostile file can hold a name of megabytes. */
  private static final int MAX_PART = 1_000;

  SmeltException(String message, @org.jspecify.annotations.Nullable Throwable cause) {
    super(message, cause);
  }

  /** Joins the parts of a refusal; empty parts are left out. */
  static String line(String what, String where, String detail, String advice) {
    StringBuilder line = new StringBuilder(clean(what));
    if (!where.isEmpty()) {
      line.append(" [").append(clean(where)).append(']');
    }
    if (!detail.isEmpty()) {
      line.append(' ').append(clean(detail));
    }
    if (!advice.isEmpty()) {
      line.append("; ").append(clean(advice));
    }
    return line.toString();
  }

  /** Short, and without characters that would break the line or steer a terminal. */
  private static String clean(String part) {
    String shown = part;
    if (part.length() > MAX_PART) {
      int half = MAX_PART / 2;
      shown = part.substring(0, half) + " … " + part.substring(part.length() - half);
    }
    return shown.replaceAll("[\\p{Cc}\\p{Cf}]", "?");
  }
}
