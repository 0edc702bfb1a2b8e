package dev.smelt.cli;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** The entry point: the only place that ends the process. */
public final class Main {

  private Main() {}

  public static void main(String[] arguments) {
    // Numbers are printed for pipes as well as for people: never with a decimal comma.
    Locale.setDefault(Locale.ROOT);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    int code = new SmeltCommandLine(out, err, System.getenv()).run(arguments);
    out.flush();
    System.exit(code);
  }
}
