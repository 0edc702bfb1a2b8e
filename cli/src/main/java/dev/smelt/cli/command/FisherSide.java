package dev.smelt.cli.command;

import dev.smelt.compress.metric.Side;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which sums weight one matrix on its own. */
final class FisherSide {

  @Option(
      names = "--side",
      paramLabel = "input|output|both",
      description = "Weights of --metric fisher: sums over outputs, inputs or both (input).")
  private @Nullable Side side;

  @Nullable Side get() {
    return side;
  }
}
