package dev.smelt.formats;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.core.util.Separators;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.cfg.JsonNodeFeature;
import tools.jackson.databind.json.JsonMapper;

/** JSON as every file of ours is read and written: strict in, stable out. */
public final class Json {

  /** Duplicate keys are refused; numbers keep their exact value. */
  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .changeDefaultPropertyInclusion(
              inclusion -> inclusion.withValueInclusion(JsonInclude.Include.NON_NULL))
          .defaultPrettyPrinter(
              new DefaultPrettyPrinter(
                      Separators.createDefaultInstance()
                          .withObjectNameValueSpacing(Separators.Spacing.AFTER)
                          .withObjectEmptySeparator("")
                          .withArrayEmptySeparator(""))
                  .withObjectIndenter(new DefaultIndenter("  ", "\n"))
                  .withArrayIndenter(new DefaultIndenter("  ", "\n")))
          .build();

  private static final ObjectWriter PRETTY = MAPPER.writerWithDefaultPrettyPrinter();

  private Json() {}

  /**
   * @param where the file, for the refusal
   * @throws CorruptException when {@code text} is not one JSON value
   */
  public static JsonNode parse(byte[] text, String where) {
    try {
      return MAPPER.readTree(text);
    } catch (JacksonException e) {
      throw corrupt(where, e);
    }
  }

  /** Parses straight into a record. */
  public static <T> T parse(byte[] text, Class<T> type, String where) {
    try {
      @Nullable T value = MAPPER.readValue(text, type);
      if (value == null) {
        throw new CorruptException("not a JSON object", where, "found null", "");
      }
      return value;
    } catch (JacksonException e) {
      throw corrupt(where, e);
    }
  }

  /** Indented, keys in the order they were put, with a final newline. */
  public static String write(Object value) {
    return PRETTY.writeValueAsString(value) + "\n";
  }

  /** On one line, for a string inside another document. */
  public static String writeCompact(Object value) {
    return MAPPER.writeValueAsString(value);
  }

  /** {@code value} as a tree, for building documents out of records. */
  public static JsonNode tree(Object value) {
    return MAPPER.valueToTree(value);
  }

  private static CorruptException corrupt(String where, JacksonException e) {
    String at = e.getLocation() == null ? where : where + "@" + e.getLocation().getByteOffset();
    return new CorruptException("malformed JSON document", at, e.getOriginalMessage(), "");
  }
}
