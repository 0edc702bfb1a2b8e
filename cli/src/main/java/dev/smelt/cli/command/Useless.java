package dev.smelt.cli.command;

import dev.smelt.formats.UsageException;

/** Options that were given where they mean nothing. */
final class Useless {

  private Useless() {}

  /**
   * @param given whether the option was given where it has no effect
   * @param why "without --data"
   * @throws UsageException when it was
   */
  static void refuse(String option, boolean given, String why) {
    if (given) {
      throw new UsageException(option + " has no effect " + why, "leave it out");
    }
  }
}
