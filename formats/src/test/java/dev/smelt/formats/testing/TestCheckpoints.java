package dev.smelt.formats.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Writes safetensors files and Hugging Face folders byte by byte, without the writer under test.
 */
public final class TestCheckpoints {

  private TestCheckpoints() {}

  /** A file of these tensors, in this order, with {"format": "pt"} as its metadata. */
  public static byte[] safetensors(List<TestTensor> tensors) {
    return safetensors(tensors, Map.of("format", "pt"));
  }

  /** As {@link #safetensors(List)} with other metadata; without any when the map is empty. */
  public static byte[] safetensors(List<TestTensor> tensors, Map<String, String> metadata) {
    StringBuilder header = new StringBuilder("{");
    if (!metadata.isEmpty()) {
      header.append(
          new TreeMap<>(metadata)
              .entrySet().stream()
                  .map(entry -> quoted(entry.getKey()) + ":" + quoted(entry.getValue()))
                  .collect(Collectors.joining(",", "\"__metadata__\":{", "}")));
    }
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (TestTensor tensor : tensors) {
      int start = data.size();
      data.writeBytes(tensor.bytes());
      header.append(header.length() > 1 ? "," : "").append(entry(tensor, start, data.size()));
    }
    return raw(header.append('}').toString(), data.toByteArray());
  }

  /** Length field, the header as given and padded with spaces to 8 bytes, and the data. */
  public static byte[] raw(String header, byte[] data) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    int padding = (8 - text.length % 8) % 8;
    ByteBuffer file = ByteBuffer.allocate(8 + text.length + padding + data.length);
    file.order(ByteOrder.LITTLE_ENDIAN).putLong(text.length + padding).put(text);
    file.put(" ".repeat(padding).getBytes(StandardCharsets.US_ASCII)).put(data);
    return file.array();
  }

  /** Writes one weights file. */
  public static Path file(Path path, List<TestTensor> tensors) {
    return write(path, safetensors(tensors));
  }

  /** Makes a folder with config.json and model.safetensors. */
  public static Path folder(Path folder, String configJson, List<TestTensor> tensors) {
    write(folder.resolve("config.json"), configJson);
    file(folder.resolve("model.safetensors"), tensors);
    return folder;
  }

  /** Makes a folder with config.json, an index and one file for each list of tensors. */
  public static Path sharded(Path folder, String configJson, List<List<TestTensor>> shards) {
    write(folder.resolve("config.json"), configJson);
    Map<String, String> shardOf = new TreeMap<>();
    for (int i = 0; i < shards.size(); i++) {
      String name = String.format("model-%05d-of-%05d.safetensors", i + 1, shards.size());
      file(folder.resolve(name), shards.get(i));
      shards.get(i).forEach(tensor -> shardOf.put(tensor.name(), name));
    }
    write(folder.resolve("model.safetensors.index.json"), index(shardOf));
    return folder;
  }

  /** The text of an index: tensor name → file name. */
  public static String index(Map<String, String> shardOf) {
    return new TreeMap<>(shardOf)
        .entrySet().stream()
            .map(entry -> quoted(entry.getKey()) + ": " + quoted(entry.getValue()))
            .collect(Collectors.joining(", ", "{\"metadata\": {}, \"weight_map\": {", "}}"));
  }

  /** Writes a text file, making its folder. */
  public static Path write(Path path, String text) {
    return write(path, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Writes a file, making its folder. */
  public static Path write(Path path, byte[] bytes) {
    try {
      Path folder = path.toAbsolutePath().getParent();
      if (folder != null) {
        Files.createDirectories(folder);
      }
      return Files.write(path, bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String entry(TestTensor tensor, int start, int end) {
    return String.format(
        "%s:{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
        quoted(tensor.name()), tensor.dtype().label(), tensor.shape(), start, end);
  }

  /** Enough JSON for texts whose only control characters are line ends. */
  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }
}
