package dev.smelt.cli.command;

import dev.smelt.formats.UsageException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which models are looked at together. */
final class ZooMixin {

  @Parameters(
      paramLabel = "CKPT",
      arity = "1..*",
      description =
          "The model whose matrices are clustered. Several models share among each other, and OUT"
              + " gets a folder for each and one with what they share.")
  private List<Path> paths = new ArrayList<>();

  @Option(
      names = "--base",
      paramLabel = "B",
      description =
          "Share what the models changed of this one; OUT gets its tensors as well. It may be one of"
              + " them.")
  private @Nullable Path base;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "Of each of several models, in order: its folder in OUT (as it is called).")
  private List<String> names = new ArrayList<>();

  List<Path> paths() {
    return List.copyOf(paths);
  }

  Optional<Path> base() {
    return Optional.ofNullable(base);
  }

  /** Whether there is more to write than one model. */
  boolean isZoo() {
    return paths.size() > 1 || base != null;
  }

  /** All that is read. */
  List<Path> inputs() {
    List<Path> inputs = new ArrayList<>(paths);
    base().ifPresent(inputs::add);
    return inputs;
  }

  /**
   * The name of each model.
   *
   * @throws UsageException when two are alike, or there are too few or too many
   */
  List<String> names() {
    Useless.refuse("--name", !isZoo() && !names.isEmpty(), "with one model");
    if (!names.isEmpty() && names.size() != paths.size()) {
      throw new UsageException(
          names.size() + " names for " + paths.size() + " models", "give --name once per model");
    }
    List<String> found = new ArrayList<>();
    Set<String> taken = new HashSet<>();
    for (int i = 0; i < paths.size(); i++) {
      String name = names.isEmpty() ? ModelNames.of(paths.get(i)) : names.get(i);
      if (!taken.add(name)) {
        throw new UsageException("two models named " + name, "give --name once per model");
      }
      found.add(name);
    }
    return found;
  }
}
