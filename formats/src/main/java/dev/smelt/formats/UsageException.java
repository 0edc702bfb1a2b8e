package dev.smelt.formats;

/** The request itself is wrong: an option out of range, a combination that means nothing. */
public final class UsageException extends SmeltException {

  private static final long serialVersionUID = 1L;

  public UsageException(String what, String advice) {
    super(line(what, "", "", advice), null);
  }
}
