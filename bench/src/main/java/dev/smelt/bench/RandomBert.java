package dev.smelt.bench;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.Json;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** A classifier of the size of BERT base (110 million parameters) with random weights, and data. */
final class RandomBert {

  private static final int VOCABULARY = 30_522;
  private static final int WIDTH = 768;
  private static final int INNER = 3072;
  private static final int LAYERS = 12;
  private static final int POSITIONS = 512;
  private static final double SPREAD = 0.02;

  private RandomBert() {}

  /** Writes the model. */
  static void make(Path folder) {
    List<TensorInfo> tensors = new ArrayList<>();
    String embeddings = "bert.embeddings.";
    tensors.add(f32(embeddings + "word_embeddings.weight", VOCABULARY, WIDTH));
    tensors.add(f32(embeddings + "position_embeddings.weight", POSITIONS, WIDTH));
    tensors.add(f32(embeddings + "token_type_embeddings.weight", 2, WIDTH));
    vectors(tensors, embeddings + "LayerNorm", WIDTH);
    for (int i = 0; i < LAYERS; i++) {
      String layer = "bert.encoder.layer." + i + ".";
      for (String part : List.of("self.query", "self.key", "self.value", "output.dense")) {
        linear(tensors, layer + "attention." + part, WIDTH, WIDTH);
      }
      vectors(tensors, layer + "attention.output.LayerNorm", WIDTH);
      linear(tensors, layer + "intermediate.dense", INNER, WIDTH);
      linear(tensors, layer + "output.dense", WIDTH, INNER);
      vectors(tensors, layer + "output.LayerNorm", WIDTH);
    }
    linear(tensors, "bert.pooler.dense", WIDTH, WIDTH);
    linear(tensors, "classifier", 2, WIDTH);
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(tensors, Map.of(), Optional.of(config()), List.of());
    Random random = new Random(1);
    try (CheckpointWriter writer = CheckpointWriter.create(OutputOptions.to(folder), content)) {
      for (TensorInfo tensor : tensors) {
        float[] values = new float[Math.toIntExact(tensor.elements())];
        boolean norm = tensor.name().endsWith("LayerNorm.weight");
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) ((norm ? 1 : 0) + SPREAD * random.nextGaussian());
        }
        writer.slot(tensor.name()).write(0, values, values.length);
      }
      writer.commitWithoutManifest();
    }
  }

  private static ModelConfig config() {
    Map<String, Object> config = new TreeMap<>();
    config.put("model_type", "bert");
    config.put("architectures", List.of("BertForSequenceClassification"));
    config.put("vocab_size", VOCABULARY);
    config.put("hidden_size", WIDTH);
    config.put("num_hidden_layers", LAYERS);
    config.put("num_attention_heads", 12);
    config.put("intermediate_size", INNER);
    config.put("hidden_act", "gelu");
    config.put("max_position_embeddings", POSITIONS);
    config.put("type_vocab_size", 2);
    config.put("layer_norm_eps", 1e-12);
    config.put("id2label", Map.of("0", "negative", "1", "positive"));
    return ModelConfig.parse(Json.write(config).getBytes(StandardCharsets.UTF_8), "config.json");
  }

  private static void linear(List<TensorInfo> tensors, String module, long out, long in) {
    tensors.add(f32(module + ".weight", out, in));
    tensors.add(f32(module + ".bias", out));
  }

  private static void vectors(List<TensorInfo> tensors, String module, long width) {
    tensors.add(f32(module + ".weight", width));
    tensors.add(f32(module + ".bias", width));
  }

  private static TensorInfo f32(String name, long... sizes) {
    return new TensorInfo(name, DType.F32, Shape.of(sizes));
  }

  /** Writes labelled sequences of random tokens, all of one length. */
  static void makeData(Path file, int examples, int length) throws IOException {
    Random random = new Random(2);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < examples; i++) {
      String ids =
          random
              .ints(length, 0, VOCABULARY)
              .mapToObj(String::valueOf)
              .collect(Collectors.joining(","));
      lines.add("{\"input_ids\": [%s], \"label\": %d}".formatted(ids, i % 2));
    }
    Files.write(file, lines);
  }
}
