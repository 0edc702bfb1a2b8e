package dev.smelt.formats;

/** The device failed in the middle of work: out of its memory, or a decomposition that fails. */
public final class DeviceException extends SmeltException {

  private static final long serialVersionUID = 1L;

  /**
   * @param what was being done: "evaluation"
   * @param reason the engine's own words; only their first line is shown
   */
  public DeviceException(String what, String advice, Throwable reason) {
    super(line(what + " failed on the device:", "", firstLine(reason), advice), reason);
  }

  private static String firstLine(Throwable reason) {
    return String.valueOf(reason.getMessage()).lines().findFirst().orElse("");
  }
}
