package dev.smelt.cli;

import dev.smelt.formats.storage.Storage;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** The entry point: the only place that ends the process. */
public final class Main {

  /** Set when the run has an exit code of its own; before that, an ending is an interruption. */
  private static volatile boolean ended;

  private Main() {}

  public static void main(String[] arguments) {
    // Numbers are printed for pipes as well as for people: never with a decimal comma.
    Locale.setDefault(Locale.ROOT);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    Runtime.getRuntime().addShutdownHook(new Thread(Main::endInterrupted, "smelt-interrupted"));
    int code = new SmeltCommandLine(out, err, System.getenv()).run(arguments);
    ended = true;
    System.exit(code);
  }

  /**
   * Ends at once when interrupted: the native engine would tear itself down under the threads that
   * still compute in it, and crash.
   */
  private static void endInterrupted() {
    if (!ended) {
      Storage.local().discardUnfinished();
      Runtime.getRuntime().halt(ExitCode.INTERRUPTED);
    }
  }
}
