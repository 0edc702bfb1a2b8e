package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of commands that write a checkpoint. */
final class OutputMixin {

  @Mixin private TargetMixin target = new TargetMixin();

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Floating-point type of what is written: f32, bf16, f16, … (as in the input).")
  private @Nullable String dtype;

  OutputOptions options() {
    return target.options();
  }

  Optional<DType> dtype() {
    return Optional.ofNullable(dtype).map(text -> Units.floatType("--dtype", text));
  }
}
