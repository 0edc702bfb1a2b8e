package dev.smelt.formats.safetensors;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.safetensors.SafetensorsHeader.Entry;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads and validates the header of a safetensors file.
 *
 * <table>
 * <caption>Byte layout</caption>
 * <tr><th>offset</th><th>bytes</th><th>content</th></tr>
 * <tr><td>0</td><td>8</td><td>N, length of the header, unsigned little-endian</td></tr>
 * <tr><td>8</td><td>N</td><td>a JSON object in UTF-8, starting with '{', padded at its end with
 *     spaces: tensor name → {"dtype", "shape", "data_offsets": [start, end]} and optionally
 *     "__metadata__" → object of strings</td></tr>
 * <tr><td>8+N</td><td>rest</td><td>data, little-endian, row-major; offsets count from here</td></tr>
 * </table>
 *
 * <p>Rules as in the format's reference implementation (huggingface/safetensors, {@code
 * tensor.rs}): every tensor's extent equals its size, together the tensors cover the data without
 * hole or overlap, and the file ends with the last one.
 */
final class HeaderParser {

  /** The reference's limit; a header of a million tensors takes about this. */
  static final long MAX_HEADER_BYTES = 100_000_000;

  /** A header has three levels: file, tensor, list. */
  private static final int MAX_NESTING = 4;

  /** Characters decoded at a time; keeps a long header from taking three times its size. */
  private static final int UTF8_PART = 1 << 13;

  private static final int PREFIX_BYTES = Long.BYTES;
  private static final String METADATA = "__metadata__";

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_NESTING)
                  .maxDocumentLength(MAX_HEADER_BYTES)
                  .maxNameLength((int) MAX_HEADER_BYTES)
                  .maxStringLength((int) MAX_HEADER_BYTES)
                  .build())
          .build();

  private final MemorySegment file;
  private final String where;
  private final List<Entry> entries = new ArrayList<>();
  private final Map<String, String> metadata = new TreeMap<>();

  private HeaderParser(MemorySegment file, String where) {
    this.file = file;
    this.where = where;
  }

  /**
   * @param file the whole file
   * @param where its path, for refusals
   * @throws BadInputException a typed refusal naming file, offset or tensor
   */
  static SafetensorsHeader parse(MemorySegment file, String where) {
    return new HeaderParser(file, where).parse();
  }

  private SafetensorsHeader parse() {
    int length = headerLength();
    byte[] text = file.asSlice(PREFIX_BYTES, length).toArray(ValueLayout.JAVA_BYTE);
    requireStart(text);
    requireUtf8(text);
    try (JsonParser json = JSON.createParser(ObjectReadContext.empty(), text)) {
      readObject(json);
    } catch (JacksonException e) {
      long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset());
      throw corrupt("header is not valid JSON", PREFIX_BYTES + at, e.getOriginalMessage());
    }
    entries.sort(Comparator.comparingLong(Entry::offset).thenComparingLong(Entry::end));
    long dataStart = (long) PREFIX_BYTES + length;
    requireTiling(dataStart);
    return new SafetensorsHeader(entries, Collections.unmodifiableMap(metadata), dataStart);
  }

  private int headerLength() {
    if (file.byteSize() < PREFIX_BYTES) {
      throw truncated("file shorter than its length field", 0, PREFIX_BYTES, file.byteSize());
    }
    long length = file.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
    if (length < 0 || length > MAX_HEADER_BYTES) {
      throw new LimitException(
          "header too long",
          where + "@0",
          "at most " + MAX_HEADER_BYTES + " bytes, found " + Long.toUnsignedString(length),
          "is this a safetensors file?");
    }
    if (length > file.byteSize() - PREFIX_BYTES) {
      throw truncated("header longer than file", 0, PREFIX_BYTES + length, file.byteSize());
    }
    return (int) length;
  }

  private void requireStart(byte[] text) {
    if (text.length == 0 || text[0] != '{') {
      String found = text.length == 0 ? "nothing" : String.format("byte 0x%02x", text[0]);
      throw corrupt("header does not start with '{'", PREFIX_BYTES, "found " + found);
    }
  }

  /** Also refuses a second byte of zero, by which the JSON parser would take it for UTF-16. */
  private void requireUtf8(byte[] text) {
    if (text.length > 1 && text[1] == 0) {
      throw corrupt("header is not UTF-8", PREFIX_BYTES + 1, "found byte 0x00");
    }
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    ByteBuffer bytes = ByteBuffer.wrap(text);
    CharBuffer scratch = CharBuffer.allocate(UTF8_PART);
    CoderResult result;
    do {
      result = decoder.decode(bytes, scratch.clear(), true);
    } while (result.isOverflow());
    if (result.isError()) {
      throw corrupt(
          "header is not UTF-8",
          (long) PREFIX_BYTES + bytes.position(),
          String.format("found byte 0x%02x", bytes.get(bytes.position())));
    }
  }

  private void readObject(JsonParser json) {
    json.nextToken();
    for (JsonToken token = json.nextToken(); token == JsonToken.PROPERTY_NAME; ) {
      String name = json.currentName();
      requireText(name, json);
      json.nextToken();
      if (name.equals(METADATA)) {
        readMetadata(json);
      } else {
        entries.add(readEntry(name, json));
      }
      token = json.nextToken();
    }
    if (json.nextToken() != null) {
      throw corrupt("header has content after its object", offset(json), "");
    }
  }

  private void readMetadata(JsonParser json) {
    require(json, JsonToken.START_OBJECT, METADATA, "an object of strings");
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      requireText(key, json);
      json.nextToken();
      require(json, JsonToken.VALUE_STRING, METADATA + "." + key, "a string");
      String value = json.getString();
      requireText(value, json);
      metadata.put(key, value);
    }
  }

  private Entry readEntry(String name, JsonParser json) {
    require(json, JsonToken.START_OBJECT, name, "an object");
    @Nullable String dtype = null;
    long @Nullable [] shape = null;
    long @Nullable [] offsets = null;
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      json.nextToken();
      switch (key) {
        case "dtype" -> {
          require(json, JsonToken.VALUE_STRING, name, "a string as dtype");
          dtype = json.getString();
        }
        case "shape" -> shape = readNumbers(json, name, "shape", TensorInfo.MAX_RANK);
        case "data_offsets" -> offsets = readNumbers(json, name, "data_offsets", 2);
        default ->
            throw new CorruptException(
                "unknown key in header",
                where + "|" + name,
                "expected dtype, shape, data_offsets, found '" + key + "'",
                "");
      }
    }
    if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
      throw new CorruptException(
          "incomplete header entry",
          where + "|" + name,
          "expected dtype, shape and two data_offsets",
          "");
    }
    return validated(name, dtype, shape, offsets[0], offsets[1]);
  }

  private long[] readNumbers(JsonParser json, String name, String key, int limit) {
    require(json, JsonToken.START_ARRAY, name, "a list as " + key);
    List<Long> numbers = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      require(json, JsonToken.VALUE_NUMBER_INT, name, "whole numbers in " + key);
      // The sign is looked at in the text: "-0" is no unsigned number either.
      if (json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
          || json.getString().startsWith("-")) {
        throw new CorruptException(
            "number out of range",
            where + "|" + name,
            "expected 0 to 2^63-1 in " + key + ", found " + json.getString(),
            "");
      }
      numbers.add(json.getLongValue());
      if (numbers.size() > limit) {
        throw new LimitException(
            "list too long", where + "|" + name, "at most " + limit + " numbers in " + key, "");
      }
    }
    return numbers.stream().mapToLong(Long::longValue).toArray();
  }

  private Entry validated(String name, String label, long[] sizes, long start, long end) {
    String tensor = where + "|" + name;
    DType dtype =
        DType.ofLabel(label)
            .orElseThrow(
                () ->
                    new UnsupportedException("unknown dtype", tensor, "found '" + label + "'", ""));
    TensorInfo info;
    long bytes;
    try {
      info = new TensorInfo(name, dtype, Shape.of(sizes));
      bytes = info.bytes();
    } catch (ArithmeticException e) {
      throw new CorruptException(
          "impossible tensor size", tensor, "for " + label + ": " + e.getMessage(), "");
    }
    if (start > end || end - start != bytes) {
      throw new CorruptException(
          "offsets do not fit the shape",
          tensor,
          String.format(
              "expected %d bytes for %s %s, found offsets %d to %d",
              bytes, label, info.shape(), start, end),
          "");
    }
    return new Entry(info, start);
  }

  private void requireTiling(long dataStart) {
    long at = 0;
    for (Entry entry : entries) {
      if (entry.offset() != at) {
        throw new CorruptException(
            entry.offset() < at ? "overlapping offsets" : "hole between tensors",
            where + "@" + (dataStart + entry.offset()) + "|" + entry.info().name(),
            "expected the tensor at offset " + at + ", found " + entry.offset(),
            "");
      }
      at = entry.end();
    }
    long found = file.byteSize() - dataStart;
    if (found < at) {
      throw truncated("truncated file", dataStart, at, found);
    }
    if (found > at) {
      throw corrupt(
          "bytes after the last tensor",
          dataStart + at,
          "expected " + at + " bytes of data, found " + found);
    }
  }

  /** Escapes can name half a surrogate pair, which no text is and no writer could write back. */
  private void requireText(String text, JsonParser json) {
    boolean broken =
        text.codePoints()
            .anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    if (broken) {
      throw corrupt("lone surrogate in header", offset(json), "expected Unicode text");
    }
  }

  private void require(JsonParser json, JsonToken token, String name, String expected) {
    if (json.currentToken() != token) {
      throw new CorruptException(
          "malformed header entry",
          where + "@" + offset(json) + "|" + name,
          "expected " + expected,
          "");
    }
  }

  private long offset(JsonParser json) {
    return PREFIX_BYTES + Math.max(0, json.currentTokenLocation().getByteOffset());
  }

  private CorruptException corrupt(String what, long at, String detail) {
    return new CorruptException(what, where + "@" + at, detail, "");
  }

  private TruncatedException truncated(String what, long at, long expected, long found) {
    return new TruncatedException(
        what,
        where + "@" + at,
        "expected " + expected + " bytes, found " + found,
        "copy or download the file again");
  }
}
