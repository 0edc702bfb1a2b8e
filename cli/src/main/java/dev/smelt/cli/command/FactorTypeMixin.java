package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.compress.layer.FactorType;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of commands that make factors. */
final class FactorTypeMixin {

  @Option(
      names = "--factors",
      paramLabel = "TYPE",
      description =
          "How factors and bases are stored: int8 (with a scale for each row), f32, bf16, f16, … (as"
              + " what they stand for).")
  private @Nullable String factors;

  Optional<FactorType> get() {
    return Optional.ofNullable(factors)
        .map(
            text ->
                text.equalsIgnoreCase("int8") || text.equalsIgnoreCase("i8")
                    ? FactorType.INT8
                    : new FactorType(Units.floatType("--factors", text)));
  }
}
