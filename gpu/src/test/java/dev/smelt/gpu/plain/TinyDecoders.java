package dev.smelt.gpu.plain;

import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Random models of Llama's kin and of GPT-NeoX, the same in every run. Two query heads share a head
 * of keys and values, and heads are wider than width / heads.
 */
public final class TinyDecoders {

  /** All families, by {@code model_type}. */
  public static final List<String> FAMILIES =
      List.of("llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gpt_neox");

  public static final int WIDTH = 8;
  private static final int INNER = 6;
  private static final int LAYERS = 2;
  private static final int HEADS = 4;
  private static final int SHARED = 2;
  private static final int HEAD_WIDTH = 4;
  private static final long SEED = 20_260_102;

  private final String type;
  private final Random random = new Random(SEED);
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, Object> config = new LinkedHashMap<>();

  private TinyDecoders(String type) {
    this.type = type;
  }

  public static TinyModel languageModel(String type) {
    TinyDecoders models = new TinyDecoders(type);
    models.config("ForCausalLM");
    models.body();
    if (type.equals("gpt_neox")) {
      models.matrix("embed_out", TinyModels.VOCABULARY, WIDTH);
    } else if (!type.startsWith("gemma")) {
      models.matrix("lm_head", TinyModels.VOCABULARY, WIDTH);
    }
    return new TinyModel(models.config, models.tensors);
  }

  public static TinyModel classifier(String type) {
    TinyDecoders models = new TinyDecoders(type);
    models.config("ForSequenceClassification");
    models.config.put("id2label", Map.of("0", "low", "1", "middle", "2", "high"));
    models.body();
    models.matrix("score", TinyModels.CLASSES, WIDTH);
    return new TinyModel(models.config, models.tensors);
  }

  /** With random biases of these modules of every layer, as long as their matrices have rows. */
  public static TinyModel withBiases(TinyModel model, String... modules) {
    Random random = new Random(SEED + 1);
    TinyModel biased = model;
    for (int i = 0; i < LAYERS; i++) {
      for (String module : modules) {
        String name = "model.layers." + i + "." + module;
        long rows = model.tensor(name + ".weight").shape().size(0);
        biased = biased.withTensor(name + ".bias", TinyModels.random(random, rows));
      }
    }
    return biased;
  }

  private static String className(String type) {
    return switch (type) {
      case "gpt_neox" -> "GPTNeoX";
      default -> Character.toUpperCase(type.charAt(0)) + type.substring(1);
    };
  }

  private void config(String ending) {
    config.put("model_type", type);
    config.put("architectures", List.of(className(type) + ending));
    config.put("vocab_size", TinyModels.VOCABULARY);
    config.put("hidden_size", WIDTH);
    config.put("intermediate_size", INNER);
    config.put("num_hidden_layers", LAYERS);
    config.put("max_position_embeddings", TinyModels.POSITIONS);
    if (type.equals("gpt_neox")) {
      config.put("num_attention_heads", 2);
      config.put("rotary_pct", 0.5);
      return;
    }
    config.put("num_attention_heads", HEADS);
    config.put("num_key_value_heads", SHARED);
    config.put("head_dim", HEAD_WIDTH);
    switch (type) {
      case "mistral", "phi3" -> config.put("sliding_window", 3);
      case "gemma2" -> {
        config.put("sliding_window", 3);
        config.put("query_pre_attn_scalar", 7);
        config.put("attn_logit_softcapping", 1.5);
        config.put("final_logit_softcapping", 2.5);
      }
      default -> {}
    }
  }

  private void body() {
    if (type.equals("gpt_neox")) {
      neox();
      return;
    }
    matrix("model.embed_tokens", TinyModels.VOCABULARY, WIDTH);
    for (int i = 0; i < LAYERS; i++) {
      String layer = "model.layers." + i + ".";
      norm(layer + "input_layernorm", WIDTH);
      attention(layer + "self_attn.");
      norm(layer + "post_attention_layernorm", WIDTH);
      if (type.equals("gemma2")) {
        norm(layer + "pre_feedforward_layernorm", WIDTH);
        norm(layer + "post_feedforward_layernorm", WIDTH);
      }
      if (type.equals("phi3")) {
        matrix(layer + "mlp.gate_up_proj", 2 * INNER, WIDTH);
      } else {
        matrix(layer + "mlp.gate_proj", INNER, WIDTH);
        matrix(layer + "mlp.up_proj", INNER, WIDTH);
      }
      matrix(layer + "mlp.down_proj", WIDTH, INNER);
    }
    norm("model.norm", WIDTH);
  }

  private void attention(String self) {
    if (type.equals("phi3")) {
      matrix(self + "qkv_proj", (HEADS + 2 * SHARED) * HEAD_WIDTH, WIDTH);
    } else {
      for (String part : List.of("q", "k", "v")) {
        int rows = (part.equals("q") ? HEADS : SHARED) * HEAD_WIDTH;
        matrix(self + part + "_proj", rows, WIDTH);
        if (type.equals("qwen2")) {
          add(self + part + "_proj.bias", rows);
        }
      }
    }
    if (type.equals("qwen3")) {
      norm(self + "q_norm", HEAD_WIDTH);
      norm(self + "k_norm", HEAD_WIDTH);
    }
    matrix(self + "o_proj", WIDTH, HEADS * HEAD_WIDTH);
  }

  private void neox() {
    matrix("gpt_neox.embed_in", TinyModels.VOCABULARY, WIDTH);
    for (int i = 0; i < LAYERS; i++) {
      String layer = "gpt_neox.layers." + i + ".";
      for (String norm : List.of("input_layernorm", "post_attention_layernorm")) {
        norm(layer + norm, WIDTH);
        add(layer + norm + ".bias", WIDTH);
      }
      biased(layer + "attention.query_key_value", 3 * WIDTH, WIDTH);
      biased(layer + "attention.dense", WIDTH, WIDTH);
      biased(layer + "mlp.dense_h_to_4h", INNER, WIDTH);
      biased(layer + "mlp.dense_4h_to_h", WIDTH, INNER);
    }
    norm("gpt_neox.final_layer_norm", WIDTH);
    add("gpt_neox.final_layer_norm.bias", WIDTH);
  }

  private void biased(String module, int rows, int columns) {
    matrix(module, rows, columns);
    add(module + ".bias", rows);
  }

  private void matrix(String module, int rows, int columns) {
    add(module + ".weight", rows, columns);
  }

  /** Around 1, or around 0 where 1 is added. */
  private void norm(String module, int width) {
    Tensor weight = TinyModels.random(random, width);
    double[] scale = weight.values();
    for (int i = 0; i < scale.length && !type.startsWith("gemma"); i++) {
      scale[i] = (float) (1 + scale[i]);
    }
    tensors.put(module + ".weight", weight);
  }

  private void add(String name, long... sizes) {
    tensors.put(name, TinyModels.random(random, sizes));
  }
}
