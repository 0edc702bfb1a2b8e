package dev.smelt.formats.safetensors;

import static dev.smelt.formats.safetensors.Attack.ENTRY;
import static dev.smelt.formats.safetensors.Attack.bytes;
import static dev.smelt.formats.safetensors.Attack.header;
import static dev.smelt.formats.safetensors.Attack.prefixed;
import static dev.smelt.formats.safetensors.Attack.utf8;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TruncatedException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;

/** Files whose length field or JSON is at fault. */
final class HeaderAttacks {

  private static final byte[] INVALID_UTF8 = {'{', '"', (byte) 0xC3, (byte) 0x28, '"', '}'};
  private static final byte[] OVERLONG_UTF8 = {'{', '"', (byte) 0xC0, (byte) 0xAF, '"', '}'};

  private HeaderAttacks() {}

  static Stream<Attack> all() {
    return Stream.of(lengths(), texts(), duplicates(), metadata()).flatMap(attacks -> attacks);
  }

  private static Stream<Attack> lengths() {
    return Stream.of(
        bytes("empty-file", new byte[0], TruncatedException.class, "@0", "expected 8", "found 0"),
        bytes("seven-bytes", new byte[7], TruncatedException.class, "@0", "expected 8", "found 7"),
        bytes("header-of-no-bytes", new byte[8], CorruptException.class, "'{'", "found nothing"),
        bytes(
            "header-longer-than-file",
            prefixed(3, utf8("{}")),
            TruncatedException.class,
            "header longer than file",
            "@0",
            "expected 11 bytes",
            "found 10"),
        bytes(
            "header-over-100-mb",
            prefixed(100_000_001, utf8("{}")),
            LimitException.class,
            "@0",
            "at most 100000000",
            "found 100000001"),
        bytes(
            "header-length-all-ones",
            prefixed(-1, utf8("{}")),
            LimitException.class,
            "@0",
            "found 18446744073709551615"),
        bytes(
            "header-of-the-limit-in-a-short-file",
            prefixed(100_000_000, utf8("{}")),
            TruncatedException.class,
            "expected 100000008",
            "found 10"));
  }

  private static Stream<Attack> texts() {
    return Stream.of(
        header("starts-with-space", " {}", CorruptException.class, "@8", "'{'", "byte 0x20"),
        header("starts-with-bom", "\uFEFF{}", CorruptException.class, "@8", "byte 0xef"),
        header("is-a-list", "[]", CorruptException.class, "@8", "byte 0x5b"),
        bytes(
            "not-utf8",
            prefixed(INVALID_UTF8.length, INVALID_UTF8),
            CorruptException.class,
            "not UTF-8",
            "@10"),
        bytes(
            "overlong-utf8",
            prefixed(OVERLONG_UTF8.length, OVERLONG_UTF8),
            CorruptException.class,
            "not UTF-8",
            "@10"),
        bytes(
            "utf16",
            prefixed(4, "{}".getBytes(StandardCharsets.UTF_16LE)),
            CorruptException.class,
            "not UTF-8",
            "@9"),
        header("unclosed-object", "{\"w\":" + ENTRY, CorruptException.class, "JSON", "@"),
        header("comma-missing", "{\"w\" " + ENTRY + "}", CorruptException.class, "JSON", "@13"),
        header("comma-at-end", "{\"w\":" + ENTRY + ",}", CorruptException.class, "JSON", "@"),
        header("single-quotes", "{'w':1}", CorruptException.class, "JSON", "@"),
        header("comment", "{/**/}", CorruptException.class, "JSON", "@"),
        header("not-a-number", "{\"w\":NaN}", CorruptException.class, "JSON", "@"),
        header(
            "control-character-in-name",
            "{\"w\n\":" + ENTRY + "}",
            CorruptException.class,
            "JSON",
            "@"),
        header(
            "lone-surrogate-in-name",
            "{\"w\\ud800\":" + ENTRY + "}",
            CorruptException.class,
            "surrogate"),
        header(
            "lone-surrogate-in-metadata",
            "{\"__metadata__\":{\"k\":\"\\udc00\"},\"w\":" + ENTRY + "}",
            CorruptException.class,
            "surrogate"),
        header(
            "deep-nesting",
            "{\"w\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}",
            CorruptException.class,
            "w"),
        header(
            "deep-nesting-in-shape",
            "{\"w\":{\"shape\":" + "[".repeat(100_000) + "}",
            CorruptException.class,
            "w"),
        header(
            "content-after-object",
            "{\"w\":" + ENTRY + "}{}",
            CorruptException.class,
            "content after",
            "@" + (8 + 5 + ENTRY.length() + 1)),
        header(
            "letters-after-object",
            "{\"w\":" + ENTRY + "}xyz",
            CorruptException.class,
            "JSON",
            "@"),
        bytes(
            "zeros-after-object",
            prefixed(8, utf8("{}\0\0\0\0\0\0")),
            CorruptException.class,
            "@"));
  }

  private static Stream<Attack> duplicates() {
    return Stream.of(
        header(
            "duplicate-tensor",
            "{\"w\":" + ENTRY + ",\"w\":" + ENTRY + "}",
            CorruptException.class,
            "uplicate",
            "\"w\"",
            "@"),
        header(
            "duplicate-tensor-by-escape",
            "{\"w\":" + ENTRY + ",\"\\u0077\":" + ENTRY + "}",
            CorruptException.class,
            "uplicate",
            "\"w\""),
        header(
            "duplicate-inner-key",
            "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
            CorruptException.class,
            "uplicate",
            "\"dtype\""),
        header(
            "duplicate-metadata",
            "{\"__metadata__\":{},\"__metadata__\":{},\"w\":" + ENTRY + "}",
            CorruptException.class,
            "uplicate",
            "__metadata__"),
        header(
            "duplicate-metadata-key",
            "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"},\"w\":" + ENTRY + "}",
            CorruptException.class,
            "uplicate",
            "\"k\""));
  }

  private static Stream<Attack> metadata() {
    return Stream.of(
        metadata("metadata-not-an-object", "\"pt\"", "__metadata__", "expected an object"),
        metadata("metadata-null", "null", "__metadata__", "expected an object"),
        metadata("metadata-value-number", "{\"k\":1}", "__metadata__.k", "expected a string"),
        metadata("metadata-value-null", "{\"k\":null}", "__metadata__.k", "expected a string"),
        metadata("metadata-value-true", "{\"k\":true}", "__metadata__.k", "expected a string"),
        metadata("metadata-value-list", "{\"k\":[]}", "__metadata__.k", "expected a string"),
        metadata("metadata-value-object", "{\"k\":{}}", "__metadata__.k", "expected a string"));
  }

  private static Attack metadata(String fault, String value, String... says) {
    String text = "{\"__metadata__\":" + value + ",\"w\":" + ENTRY + "}";
    return header(fault, text, CorruptException.class, says);
  }
}
