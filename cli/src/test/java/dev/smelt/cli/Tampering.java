package dev.smelt.cli;

import dev.smelt.formats.Json;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.manifest.Hashing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Changes of a checkpoint after it was written, hidden from hashes: the manifest gets those of the
 * changed files.
 */
record Tampering(Path folder) {

  private static final String WEIGHTS = "model.safetensors";

  /** Flips the lowest bit of the last element of a tensor: the least that can change. */
  void flip(String tensor) throws IOException {
    change(tensor, (bytes, first, _) -> bytes[first] ^= 1);
  }

  /** Flips the sign of the last element, as much as errors of whole tensors tell. */
  void negate(String tensor) throws IOException {
    change(tensor, (bytes, _, last) -> bytes[last] ^= (byte) 0x80);
  }

  private interface Change {
    void of(byte[] bytes, int first, int last);
  }

  private void change(String tensor, Change change) throws IOException {
    Path file = folder.resolve(WEIGHTS);
    byte[] bytes = Files.readAllBytes(file);
    long length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    int start = Math.toIntExact(Long.BYTES + length);
    JsonNode header = Json.parse(Arrays.copyOfRange(bytes, Long.BYTES, start), "header");
    JsonNode entry = header.path(tensor);
    int width = entry.path("dtype").asString().equals("F32") ? Float.BYTES : Short.BYTES;
    int end = start + entry.path("data_offsets").path(1).intValue();
    change.of(bytes, end - width, end - 1);
    Files.write(file, bytes);
    rehash(WEIGHTS);
  }

  void config(UnaryOperator<ModelConfig> change) throws IOException {
    Path file = folder.resolve("config.json");
    ModelConfig config = ModelConfig.parse(Files.readString(file));
    Files.writeString(file, change.apply(config).toJson());
    rehash("config.json");
  }

  /** Takes a file away, and out of the manifest. */
  void remove(String name) throws IOException {
    Files.delete(folder.resolve(name));
    manifest(
        manifest -> {
          ArrayNode files = (ArrayNode) manifest.path("files");
          for (int i = files.size() - 1; i >= 0; i--) {
            if (files.path(i).path("name").asString().equals(name)) {
              files.remove(i);
            }
          }
        });
  }

  void manifest(Consumer<ObjectNode> change) throws IOException {
    Path file = folder.resolve("smelt.json");
    ObjectNode manifest = (ObjectNode) Json.parse(Files.readAllBytes(file), "manifest");
    change.accept(manifest);
    Files.write(file, Json.write(manifest).getBytes(StandardCharsets.UTF_8));
  }

  private void rehash(String name) throws IOException {
    Path file = folder.resolve(name);
    long size = Files.size(file);
    manifest(
        manifest -> {
          for (JsonNode entry : manifest.path("files")) {
            if (entry.path("name").asString().equals(name)) {
              ((ObjectNode) entry).put("sha256", Hashing.sha256(file)).put("bytes", size);
            }
          }
        });
  }
}
