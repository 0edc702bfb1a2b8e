package dev.smelt.bench;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.Json;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.SafetensorsWriter;
import dev.smelt.formats.safetensors.TensorSlot;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * A language model of the shape of Llama with random weights, and data for it.
 *
 * @param width of hidden states, a multiple of 128
 * @param inner width of the perceptrons
 */
record RandomLlama(int width, int inner, int layers, DType dtype) {

  private static final int VOCABULARY = 256;
  private static final int HEAD = 128;
  private static final double SPREAD = 0.02;
  private static final int PART = 1 << 20;

  /** Writes the model. */
  void make(Path folder) {
    make(folder, 1);
  }

  /** Writes the model with the weights of a seed. */
  void make(Path folder, long seed) {
    List<TensorInfo> tensors = new ArrayList<>();
    tensors.add(tensor("model.embed_tokens.weight", VOCABULARY, width));
    for (int i = 0; i < layers; i++) {
      String layer = "model.layers." + i + ".";
      for (String part : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
        tensors.add(tensor(layer + "self_attn." + part + ".weight", width, width));
      }
      tensors.add(tensor(layer + "mlp.gate_proj.weight", inner, width));
      tensors.add(tensor(layer + "mlp.up_proj.weight", inner, width));
      tensors.add(tensor(layer + "mlp.down_proj.weight", width, inner));
      tensors.add(tensor(layer + "input_layernorm.weight", width));
      tensors.add(tensor(layer + "post_attention_layernorm.weight", width));
    }
    tensors.add(tensor("model.norm.weight", width));
    tensors.add(tensor("lm_head.weight", VOCABULARY, width));
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(tensors, Map.of(), Optional.of(config()), List.of());
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[PART];
    try (CheckpointWriter writer = CheckpointWriter.create(OutputOptions.to(folder), content)) {
      for (TensorInfo tensor : tensors) {
        boolean norm = tensor.name().endsWith("norm.weight");
        for (long at = 0; at < tensor.elements(); at += PART) {
          int count = (int) Math.min(PART, tensor.elements() - at);
          for (int i = 0; i < count; i++) {
            values[i] = (float) ((norm ? 1 : 0) + SPREAD * random.nextGaussian());
          }
          writer.slot(tensor.name()).write(at, values, count);
        }
      }
      writer.commitWithoutManifest();
    }
  }

  private TensorInfo tensor(String name, long... sizes) {
    return new TensorInfo(name, dtype, Shape.of(sizes));
  }

  private ModelConfig config() {
    Map<String, Object> config = new TreeMap<>();
    config.put("model_type", "llama");
    config.put("architectures", List.of("LlamaForCausalLM"));
    config.put("vocab_size", VOCABULARY);
    config.put("hidden_size", width);
    config.put("intermediate_size", inner);
    config.put("num_hidden_layers", layers);
    config.put("num_attention_heads", width / HEAD);
    config.put("num_key_value_heads", width / HEAD);
    config.put("max_position_embeddings", 2048);
    config.put("rms_norm_eps", 1e-5);
    config.put("hidden_act", "silu");
    config.put("tie_word_embeddings", false);
    return ModelConfig.parse(Json.write(config).getBytes(StandardCharsets.UTF_8), "config.json");
  }

  /** Writes sequences of random tokens, all of one length. */
  static void makeData(Path file, int examples, int length) {
    TensorInfo ids = new TensorInfo("input_ids", DType.I64, Shape.of(examples, length));
    SplittableRandom random = new SplittableRandom(2);
    long[] values = random.longs((long) examples * length, 0, VOCABULARY).toArray();
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Long.BYTES).order(LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    try (SafetensorsWriter writer = new SafetensorsWriter(file, List.of(ids), Map.of())) {
      for (TensorSlot slot : writer.slots().values()) {
        slot.copy(new TensorView(ids, MemorySegment.ofBuffer(bytes)));
      }
    }
  }
}
