package dev.smelt.cli;

import dev.smelt.cli.command.ClusterCommand;
import dev.smelt.cli.command.DampenCommand;
import dev.smelt.cli.command.DeltaCommand;
import dev.smelt.cli.command.DiffCommand;
import dev.smelt.cli.command.DoctorCommand;
import dev.smelt.cli.command.EvalCommand;
import dev.smelt.cli.command.ExpandCommand;
import dev.smelt.cli.command.FactorizeCommand;
import dev.smelt.cli.command.FisherCommand;
import dev.smelt.cli.command.InspectCommand;
import dev.smelt.cli.command.MergeCommand;
import dev.smelt.cli.command.PackCommand;
import dev.smelt.cli.command.PruneCommand;
import dev.smelt.cli.command.VerifyCommand;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.HelpCommand;

/** The commands by name, in the order in which help lists them. */
final class Commands {

  private static final String HELP = "help";
  private static final String VERSION = "--version";

  private static final Map<String, Class<?>> ALL = new LinkedHashMap<>();

  static {
    ALL.put("inspect", InspectCommand.class);
    ALL.put("fisher", FisherCommand.class);
    ALL.put("merge", MergeCommand.class);
    ALL.put("factorize", FactorizeCommand.class);
    ALL.put("cluster", ClusterCommand.class);
    ALL.put("prune", PruneCommand.class);
    ALL.put("delta", DeltaCommand.class);
    ALL.put("dampen", DampenCommand.class);
    ALL.put("pack", PackCommand.class);
    ALL.put("expand", ExpandCommand.class);
    ALL.put("eval", EvalCommand.class);
    ALL.put("diff", DiffCommand.class);
    ALL.put("verify", VerifyCommand.class);
    ALL.put("doctor", DoctorCommand.class);
    ALL.put(HELP, HelpCommand.class);
  }

  private Commands() {}

  /**
   * Adds the commands to the root. Reading the options of one takes milliseconds, so a line that
   * names a command gets only what it names; every other line gets all, for help and suggestions.
   */
  static void register(CommandLine root, String... arguments) {
    List<String> words = Arrays.asList(arguments);
    List<String> named = ALL.keySet().stream().filter(words::contains).toList();
    boolean all = named.contains(HELP) || (named.isEmpty() && !words.equals(List.of(VERSION)));
    for (Map.Entry<String, Class<?>> command : ALL.entrySet()) {
      if (all || named.contains(command.getKey())) {
        root.addSubcommand(command.getKey(), command.getValue());
      }
    }
  }
}
