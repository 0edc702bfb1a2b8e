package dev.smelt.cli;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.DeviceException;
import dev.smelt.formats.GateException;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;

/** What the process tells its caller. */
public final class ExitCode {

  public static final int DONE = 0;
  public static final int GATE_FAILED = 1;
  public static final int USAGE = 2;
  public static final int BAD_INPUT = 3;
  public static final int RESOURCES = 4;
  public static final int INTERNAL = 5;
  public static final int INTERRUPTED = 130;

  private ExitCode() {}

  static int of(SmeltException refusal) {
    return switch (refusal) {
      case GateException _ -> GATE_FAILED;
      case UsageException _ -> USAGE;
      case BadInputException _ -> BAD_INPUT;
      case StorageException _, DeviceException _ -> RESOURCES;
    };
  }
}
