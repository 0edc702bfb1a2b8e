package dev.smelt.cli;

import dev.smelt.cli.command.SmeltCommand;
import dev.smelt.formats.SmeltException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** One run of the command: parses, executes, and turns refusals into a line and an exit code. */
public final class SmeltCommandLine {

  /** Narrower help is refused by the library. */
  private static final int LEAST_HELP_WIDTH = 55;

  /** How picocli lists the values of an enum. */
  private static final Pattern LISTED = Pattern.compile("\\[.*] \\(case-insensitive\\)");

  private final Console console;

  /**
   * @param out gets results only
   * @param err gets progress and refusals
   * @param environment variables, for NO_COLOR and COLUMNS
   */
  public SmeltCommandLine(PrintStream out, PrintStream err, Map<String, String> environment) {
    this.console = new Console(out, err, environment);
  }

  /** Never throws; the exit code is one of {@link ExitCode}. */
  public int run(String... arguments) {
    Smelt root = new Smelt(console, List.of(arguments));
    CommandLine line = new CommandLine(root, new CommandFactory(root));
    Commands.register(line, arguments);
    line.setOut(new PrintWriter(console.out(), false, StandardCharsets.UTF_8));
    line.setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8));
    line.setUsageHelpWidth(Math.max(LEAST_HELP_WIDTH, console.width()));
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler((refusal, _) -> refuseUsage(refusal));
    line.setExecutionExceptionHandler((failure, _, _) -> fail(root, failure));
    try {
      return line.execute(arguments);
    } catch (OutOfMemoryError | StackOverflowError e) {
      console.refuse("out of memory: " + e.getMessage() + "; give Java more with JAVA_OPTS=-Xmx8g");
      return ExitCode.INTERNAL;
    }
  }

  private int refuseUsage(ParameterException refusal) {
    CommandLine command = refusal.getCommandLine();
    String hint = "";
    if (refusal instanceof UnmatchedArgumentException unmatched) {
      hint =
          unmatched.getSuggestions().isEmpty()
              ? ""
              : "; did you mean " + String.join(" or ", unmatched.getSuggestions()) + "?";
    }
    String message = String.valueOf(refusal.getMessage()).lines().findFirst().orElse("");
    message = withNamesAsTyped(message, refusal.getArgSpec());
    console.refuse(
        message + hint + "; see " + command.getCommandSpec().qualifiedName() + " --help");
    return ExitCode.USAGE;
  }

  /** Values of an enum as they are to be typed, in place of their names in the code. */
  private static String withNamesAsTyped(String message, @Nullable ArgSpec argument) {
    Object[] values = argument == null ? null : argument.auxiliaryTypes()[0].getEnumConstants();
    if (values == null) {
      return message;
    }
    String names = Arrays.stream(values).map(String::valueOf).collect(Collectors.joining(", "));
    return LISTED.matcher(message).replaceFirst(Matcher.quoteReplacement(names));
  }

  private int fail(Smelt root, Exception failure) {
    if (root.debug()) {
      failure.printStackTrace(console.err());
    }
    if (failure instanceof SmeltException refusal) {
      console.refuse(String.valueOf(refusal.getMessage()));
      return ExitCode.of(refusal);
    }
    console.refuse(
        "internal error: "
            + failure
            + (root.debug() ? "" : "; run again with --debug and report what it prints"));
    return ExitCode.INTERNAL;
  }

  /** Makes commands that know the root they belong to. */
  private record CommandFactory(Smelt root) implements CommandLine.IFactory {
    @Override
    public <K> K create(Class<K> type) throws Exception {
      K made = CommandLine.defaultFactory().create(type);
      if (made instanceof SmeltCommand command) {
        command.attach(root);
      }
      return made;
    }
  }
}
