package dev.smelt.cli.report;

import dev.smelt.formats.Json;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Function;

/**
 * A report to be written, in the form its name asks for.
 *
 * @param <T> what it tells of
 */
public record ReportFile<T>(Path path, boolean overwrite, Function<T, String> form) {

  /**
   * Checks name and target before the long work starts.
   *
   * @throws UsageException when the ending is unknown or the file exists
   */
  public static <T> ReportFile<T> of(
      Path path, boolean overwrite, Function<T, String> html, Function<T, String> markdown) {
    String name = path.toString().toLowerCase(Locale.ROOT);
    String ending = name.substring(name.lastIndexOf('.') + 1);
    Function<T, String> form =
        switch (ending) {
          case "html" -> html;
          case "md" -> markdown;
          case "json" -> Json::write;
          default ->
              throw new UsageException(
                  "unknown kind of report " + path, "end its name in .html, .md or .json");
        };
    Storage.local().stage(path, overwrite).close();
    return new ReportFile<>(path, overwrite, form);
  }

  /** All or nothing. */
  public void write(T report) {
    String name = String.valueOf(path.getFileName());
    try (Staging staging = Storage.local().stage(path, overwrite)) {
      staging.write(name, form.apply(report));
      staging.commitFiles(name);
    }
  }
}
