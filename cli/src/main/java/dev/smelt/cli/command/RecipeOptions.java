package dev.smelt.cli.command;

import dev.smelt.formats.UsageException;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** Which options of a command go with a recipe. */
final class RecipeOptions {

  private static final String TARGET = "--output";

  /** All others are what recipes are for. */
  private static final Set<String> BESIDE =
      Set.of(
          TARGET,
          "--overwrite",
          "--shard-size",
          "--dtype",
          "--heads",
          "--any-model",
          "--allow-non-finite",
          "--explain");

  private RecipeOptions() {}

  /** Explaining writes nothing, so that the target is not required of every call. */
  static void relax(CommandSpec spec) {
    // Options that follow it are put behind it again: help lists them in the order of adding.
    for (String name : List.of(TARGET, "--overwrite", "--shard-size", "--dtype")) {
      OptionSpec option = spec.findOption(name);
      spec.remove(option);
      spec.addOption(OptionSpec.builder(option).required(false).build());
    }
  }

  /**
   * @throws UsageException when there is no target
   */
  static void requireTarget(ParseResult line) {
    if (!line.hasMatchedOption(TARGET)) {
      throw new UsageException("Missing required option: '--output=OUT'", "see smelt merge --help");
    }
  }

  /**
   * @throws UsageException when something was given that the recipe has to say
   */
  static void refuseOthers(ParseResult line) {
    for (OptionSpec option : line.matchedOptions()) {
      boolean own = option.inherited() || BESIDE.contains(option.longestName());
      Useless.refuse(option.longestName(), !own, "with a recipe, which says it itself");
    }
  }
}
