package dev.smelt.formats;

/** The work was done but a limit the user set was not met, or a check found a difference. */
public final class GateException extends SmeltException {

  private static final long serialVersionUID = 1L;

  public GateException(String what, String where, String detail, String advice) {
    super(line(what, where, detail, advice), null);
  }
}
