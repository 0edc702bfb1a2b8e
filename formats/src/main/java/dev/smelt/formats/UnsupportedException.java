package dev.smelt.formats;

/** Well-formed, but not something this version handles. */
public final class UnsupportedException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public UnsupportedException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
