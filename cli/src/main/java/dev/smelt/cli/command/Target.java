package dev.smelt.cli.command;

import dev.smelt.compress.prune.Pattern;
import dev.smelt.compress.structure.StructurePattern;
import dev.smelt.formats.UsageException;

/** What {@code --pattern} takes. */
sealed interface Target {

  /** Single weights become zero. */
  record Weights(Pattern pattern) implements Target {
    @Override
    public String toString() {
      return pattern.toString();
    }
  }

  /** Parts of the network are left out. */
  record Units(StructurePattern pattern) implements Target {
    @Override
    public String toString() {
      return pattern.toString();
    }
  }

  /**
   * @throws UsageException when there is no such pattern
   */
  static Target parse(String text) {
    return StructurePattern.named(text)
        .<Target>map(Units::new)
        .orElseGet(() -> new Weights(Pattern.parse(text)));
  }
}
