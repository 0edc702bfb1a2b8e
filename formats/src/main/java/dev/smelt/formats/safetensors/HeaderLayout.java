package dev.smelt.formats.safetensors;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.safetensors.SafetensorsHeader.Entry;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonWriteFeature;

/**
 * Lays out a file to be written: tensors by dtype from the widest alignment down, then by the UTF-8
 * bytes of their names, keys in the order dtype, shape, data_offsets, and spaces after the object
 * up to a multiple of 8 bytes – the rule of the reference writer ({@code prepare} in
 * huggingface/safetensors {@code tensor.rs}). Metadata keys are sorted, where the reference leaves
 * their order to chance.
 */
final class HeaderLayout {

  private static final int ALIGNMENT = 8;

  /** As the reference writes strings: control characters as {@code \\u001f}, in lower case. */
  private static final JsonFactory JSON =
      JsonFactory.builder().disable(JsonWriteFeature.WRITE_HEX_UPPER_CASE).build();

  private static final Comparator<TensorInfo> STORED_ORDER =
      Comparator.comparing(TensorInfo::dtype)
          .reversed()
          .thenComparing(
              info -> info.name().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  private final SafetensorsHeader header;
  private final byte[] prefix;

  HeaderLayout(Collection<TensorInfo> tensors, Map<String, String> metadata) {
    List<Entry> entries = new ArrayList<>(tensors.size());
    long offset = 0;
    for (TensorInfo info : tensors.stream().sorted(STORED_ORDER).toList()) {
      entries.add(new Entry(info, offset));
      offset = Math.addExact(offset, info.bytes());
    }
    this.prefix = encode(entries, new TreeMap<>(metadata));
    this.header = new SafetensorsHeader(entries, metadata, prefix.length);
  }

  SafetensorsHeader header() {
    return header;
  }

  /** Length field, JSON and padding: everything before the data. */
  byte[] prefix() {
    return prefix.clone();
  }

  private static byte[] encode(List<Entry> entries, Map<String, String> metadata) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(ObjectWriteContext.empty(), text)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectPropertyStart("__metadata__");
        metadata.forEach(json::writeStringProperty);
        json.writeEndObject();
      }
      for (Entry entry : entries) {
        json.writeObjectPropertyStart(entry.info().name());
        json.writeStringProperty("dtype", entry.info().dtype().label());
        json.writeArrayPropertyStart("shape");
        entry.info().shape().sizes().forEach(json::writeNumber);
        json.writeEndArray();
        json.writeArrayPropertyStart("data_offsets");
        json.writeNumber(entry.offset());
        json.writeNumber(entry.end());
        json.writeEndArray();
        json.writeEndObject();
      }
      json.writeEndObject();
    }
    if (text.size() > HeaderParser.MAX_HEADER_BYTES) {
      throw new LimitException(
          "header too long to write",
          "",
          "at most " + HeaderParser.MAX_HEADER_BYTES + " bytes, needs " + text.size(),
          "use smaller shards");
    }
    int padded = Math.ceilDiv(text.size(), ALIGNMENT) * ALIGNMENT;
    ByteBuffer prefix =
        ByteBuffer.allocate(Long.BYTES + padded).order(ByteOrder.LITTLE_ENDIAN).putLong(padded);
    prefix.put(text.toByteArray());
    while (prefix.hasRemaining()) {
      prefix.put((byte) ' ');
    }
    return prefix.array();
  }
}
