package dev.smelt.formats;

/** A file ends before its content does. */
public final class TruncatedException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public TruncatedException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
