package dev.smelt.bench;

import dev.smelt.formats.DType;
import dev.smelt.formats.Json;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A sharded checkpoint of any size that takes no space: its files are holes after their headers.
 */
final class SparseCheckpoint {

  private SparseCheckpoint() {}

  /** Shapes of a 7B model's layers; as many layers as reach the size. */
  static void make(Path folder, long bytes, int shards) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"]}\n");
    Map<String, String> shardOf = new TreeMap<>();
    int layer = 0;
    for (int shard = 1; shard <= shards; shard++) {
      String name = String.format("model-%05d-of-%05d.safetensors", shard, shards);
      List<TensorInfo> tensors = new ArrayList<>();
      for (long size = 0; size < bytes / shards; layer++) {
        for (TensorInfo tensor : layer(layer)) {
          tensors.add(tensor);
          shardOf.put(tensor.name(), name);
          size += tensor.bytes();
        }
      }
      write(folder.resolve(name), tensors);
    }
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        Json.write(Map.of("metadata", Map.of("total_size", bytes), "weight_map", shardOf)));
  }

  private static List<TensorInfo> layer(int index) {
    String prefix = "model.layers." + index + ".";
    List<TensorInfo> tensors = new ArrayList<>();
    for (String name : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
      tensors.add(bf16(prefix + "self_attn." + name + ".weight", 4096, 4096));
    }
    for (String name : List.of("gate_proj", "up_proj")) {
      tensors.add(bf16(prefix + "mlp." + name + ".weight", 11008, 4096));
    }
    tensors.add(bf16(prefix + "mlp.down_proj.weight", 4096, 11008));
    tensors.add(bf16(prefix + "input_layernorm.weight", 4096));
    tensors.add(bf16(prefix + "post_attention_layernorm.weight", 4096));
    return tensors;
  }

  private static TensorInfo bf16(String name, long... sizes) {
    return new TensorInfo(name, DType.BF16, Shape.of(sizes));
  }

  private static void write(Path file, List<TensorInfo> tensors) {
    try (SafetensorsWriter _ = new SafetensorsWriter(file, tensors, Map.of("format", "pt"))) {
      long data = tensors.stream().mapToLong(TensorInfo::bytes).sum();
      try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
        sparse.setLength(sparse.length() + data);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
