package dev.smelt.formats;

/** The bytes contradict the format. */
public final class CorruptException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public CorruptException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
