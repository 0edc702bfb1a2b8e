package dev.smelt.merge.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Json;
import dev.smelt.merge.MergeMethods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The schema for editors lies in the documentation and says what the methods say. */
class RecipeSchemaTest {

  private static final Path FILE =
      Path.of(System.getProperty("smelt.root"), "docs", "recipe.schema.json");

  /** With {@code -Dsmelt.update=true} the file is written anew. */
  @Test
  void isKeptInTheDocumentation() throws IOException {
    String made = Json.write(RecipeSchema.make());
    if (Boolean.getBoolean("smelt.update")) {
      Files.writeString(FILE, made);
    }
    assertThat(Files.readString(FILE)).as("stale: run make schema").isEqualTo(made);
  }

  @Test
  void knowsTheKeysOfTheReader() {
    JsonNode schema = Json.tree(RecipeSchema.make());
    assertThat(schema.path("properties").propertyNames())
        .containsExactlyInAnyOrderElementsOf(
            RecipeReader.KEYS.stream()
                .filter(key -> !key.equals(RecipeReader.CHAT_TEMPLATE))
                .toList());
    assertThat(schema.path("allOf")).hasSize(MergeMethods.all().size());
  }
}
