package dev.smelt.formats;

/** A file, tensor or key that must be there is not. */
public final class NotFoundException extends BadInputException {

  private static final long serialVersionUID = 1L;

  public NotFoundException(String what, String where, String detail, String advice) {
    super(what, where, detail, advice);
  }
}
