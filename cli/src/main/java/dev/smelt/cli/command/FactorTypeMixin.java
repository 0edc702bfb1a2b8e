package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.compress.layer.FactorType;
import dev.smelt.formats.UsageException;
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
    return Optional.ofNullable(factors).map(FactorTypeMixin::parse);
  }

  private static FactorType parse(String text) {
    if (Units.isInt8(text)) {
      return FactorType.INT8;
    }
    return Units.floatType(text)
        .map(FactorType::new)
        .orElseThrow(
            () ->
                new UsageException(
                    "--factors '" + text + "' is not a type of factors",
                    "use int8, " + Units.FLOATS));
  }
}
