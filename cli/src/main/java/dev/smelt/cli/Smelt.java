package dev.smelt.cli;

import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The root of the command line and the options that every command takes. */
@Command(
    name = "smelt",
    description = "Melts model checkpoints together and burns off what they do not need.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    scope = ScopeType.INHERIT,
    sortOptions = false,
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:done, but a gate failed or a check found a difference",
      "2:the command line is wrong",
      "3:an input is missing, broken or does not fit",
      "4:the disk or the device refused: rights, space, memory",
      "5:an error in smelt itself",
      "130:interrupted"
    })
public final class Smelt {

  private final Console console;

  @Option(
      names = "--json",
      scope = ScopeType.INHERIT,
      description = "Print the result as one JSON document.")
  private boolean json;

  @Option(names = "--quiet", scope = ScopeType.INHERIT, description = "Show no progress.")
  private boolean quiet;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show stack traces of refusals and errors.")
  private boolean debug;

  @Option(
      names = "--threads",
      paramLabel = "N",
      scope = ScopeType.INHERIT,
      description =
          "Threads to use (all processors). With a network or a decomposition the last digits of"
              + " results depend on it.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--device",
      paramLabel = "auto|cpu|gpu[:i]",
      scope = ScopeType.INHERIT,
      description = "Where networks and decompositions run (auto: the first GPU, else the CPU).")
  private String device = "auto";

  private final List<String> arguments;

  Smelt(Console console, List<String> arguments) {
    this.console = console;
    this.arguments = List.copyOf(arguments);
  }

  /** What was typed, for reports that say how to make them again. */
  public String commandLine() {
    return "smelt " + String.join(" ", arguments.stream().map(Smelt::quoted).toList());
  }

  private static String quoted(String argument) {
    return argument.matches("[\\w@%+=:,./-]+")
        ? argument
        : "'" + argument.replace("'", "'\\''") + "'";
  }

  public Console console() {
    return console;
  }

  public boolean json() {
    return json;
  }

  boolean debug() {
    return debug;
  }

  /**
   * Checks options that the command at hand may not need, so that a mistake in them is never
   * overlooked.
   *
   * @throws UsageException when one is wrong
   */
  public void requireValidOptions() {
    DeviceChoice.parse(device);
    threads();
  }

  /**
   * @throws UsageException when fewer than one was asked for
   */
  public int threads() {
    if (threads < 1) {
      throw new UsageException("--threads " + threads + " is out of range", "use 1 or more");
    }
    return threads;
  }

  public Progress progress() {
    return console.progress(quiet);
  }

  /** Loads the engine; the caller closes the device. */
  public ComputeDevice openDevice() {
    return ComputeDevice.open(DeviceChoice.parse(device), threads());
  }
}
