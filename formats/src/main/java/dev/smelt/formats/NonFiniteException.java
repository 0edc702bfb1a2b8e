package dev.smelt.formats;

/** A NaN or an infinity where a finite number is needed. */
public final class NonFiniteException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public NonFiniteException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
