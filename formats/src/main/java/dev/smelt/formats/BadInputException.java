package dev.smelt.formats;

/** An input that cannot be used as it is. */
public sealed class BadInputException extends SmeltException
    permits CorruptException,
        LimitException,
        MismatchException,
        NonFiniteException,
        NotFoundException,
        TruncatedException,
        UnsupportedException {

  private static final long serialVersionUID = 1L;

  BadInputException(String what, String where, String detail, String advice) {
    super(line(what, where, detail, advice), null);
  }
}
