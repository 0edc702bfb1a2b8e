package dev.smelt.merge.recipe;

import java.nio.file.Path;
import java.util.List;

/**
 * What a recipe says, checked as far as it can be without a look at the models.
 *
 * @param stages to be done in this order; at least one, the last one makes the output
 */
public record Recipe(Path file, List<Stage> stages) {

  public Recipe {
    stages = List.copyOf(stages);
  }

  /**
   * @throws dev.smelt.formats.CorruptException when the file is no recipe, with the line
   * @throws dev.smelt.formats.UnsupportedException when it asks for what is not supported
   */
  public static Recipe read(Path file) {
    return RecipeReader.read(file, YamlReader.read(file));
  }

  /** Whether a path on the command line is that of a recipe. */
  public static boolean isNamed(Path path) {
    String name = path.toString();
    return name.endsWith(".yaml") || name.endsWith(".yml");
  }
}
