package dev.smelt.merge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The page of methods lies in the documentation and says what the methods say. */
class MethodsPageTest {

  private static final Path FILE =
      Path.of(System.getProperty("smelt.root"), "docs", "merge-methods.md");

  /** With {@code -Dsmelt.update=true} the file is written anew. */
  @Test
  void isKeptInTheDocumentation() throws IOException {
    if (Boolean.getBoolean("smelt.update")) {
      Files.writeString(FILE, MethodsPage.markdown());
    }
    assertThat(Files.readString(FILE))
        .as("stale: run make schema")
        .isEqualTo(MethodsPage.markdown());
  }
}
