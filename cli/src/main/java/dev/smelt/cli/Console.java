package dev.smelt.cli;

import dev.smelt.formats.Progress;
import dev.smelt.formats.StorageException;
import java.io.PrintStream;
import java.util.Map;
import java.util.Optional;

/** Where results, progress and refusals go. */
public final class Console {

  private static final int DEFAULT_WIDTH = 100;

  /** Set by the launcher when standard error is a terminal, which Java cannot tell by itself. */
  private static final String TERMINAL_PROPERTY = "smelt.terminal";

  private final PrintStream out;
  private final PrintStream err;
  private final Map<String, String> environment;

  Console(PrintStream out, PrintStream err, Map<String, String> environment) {
    this.out = out;
    this.err = err;
    this.environment = Map.copyOf(environment);
  }

  PrintStream out() {
    return out;
  }

  PrintStream err() {
    return err;
  }

  /** Columns of the terminal, from COLUMNS where it is set. */
  public int width() {
    String columns = environment.get("COLUMNS");
    return columns != null && columns.matches("\\d{2,4}")
        ? Integer.parseInt(columns)
        : DEFAULT_WIDTH;
  }

  /** False where NO_COLOR is set or standard output is not a terminal. */
  public boolean colour() {
    return environment.getOrDefault("NO_COLOR", "").isEmpty()
        && Optional.ofNullable(System.console()).filter(java.io.Console::isTerminal).isPresent();
  }

  /**
   * Prints a result.
   *
   * @throws StorageException when it cannot be written: a full disk, a closed pipe
   */
  public void print(String result) {
    out.print(result);
    if (out.checkError()) {
      throw new StorageException(
          "cannot write the result", "standard output", "", "check where it is sent");
    }
  }

  void refuse(String message) {
    err.println("smelt: " + message);
  }

  Progress progress(boolean quiet) {
    return quiet ? Progress.NONE : new ConsoleProgress(err, Boolean.getBoolean(TERMINAL_PROPERTY));
  }
}
