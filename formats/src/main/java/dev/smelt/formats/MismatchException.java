package dev.smelt.formats;

/** Two inputs that must agree do not: shapes, hashes, vocabularies. */
public final class MismatchException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public MismatchException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
