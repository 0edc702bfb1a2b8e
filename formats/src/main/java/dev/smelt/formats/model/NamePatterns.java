package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Which tensors a command looks at: those whose names match {@code include}, or all where it is
 * empty, and never those that match {@code exclude}. In a pattern, * stands for any characters and
 * ? for one; a pattern may leave out the final ".weight".
 */
public record NamePatterns(List<String> include, List<String> exclude) {

  public static final NamePatterns ALL = new NamePatterns(List.of(), List.of());

  public NamePatterns {
    include = List.copyOf(include);
    exclude = List.copyOf(exclude);
  }

  /**
   * @throws UsageException when a pattern matches nothing
   */
  public void requireMatches(Checkpoint checkpoint) {
    for (List<String> patterns : List.of(include, exclude)) {
      for (String pattern : patterns) {
        if (checkpoint.tensors().stream().noneMatch(view -> matches(pattern, view.name()))) {
          throw new UsageException(
              "pattern '" + pattern + "' matches no tensor of " + checkpoint.path(),
              "see smelt inspect");
        }
      }
    }
  }

  public boolean selects(String tensor) {
    return (include.isEmpty() || isIncluded(tensor))
        && exclude.stream().noneMatch(pattern -> matches(pattern, tensor));
  }

  /** Whether the name matches a pattern of {@code include}. */
  public boolean isIncluded(String tensor) {
    return include.stream().anyMatch(pattern -> matches(pattern, tensor));
  }

  private static boolean matches(String glob, String name) {
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < glob.length(); i++) {
      switch (glob.charAt(i)) {
        case '*' -> regex.append(".*");
        case '?' -> regex.append('.');
        default -> regex.append(Pattern.quote(glob.substring(i, i + 1)));
      }
    }
    return Pattern.matches(regex + "(\\.weight)?", name);
  }
}
