package dev.smelt.formats;

/** The input asks for more than a documented limit allows. */
public final class LimitException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public LimitException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
