package dev.smelt.formats.model;

import dev.smelt.formats.model.Anatomy.Attention;
import dev.smelt.formats.model.Anatomy.HeadCount;
import dev.smelt.formats.model.Anatomy.Keys;
import dev.smelt.formats.model.Anatomy.Layout;
import dev.smelt.formats.model.Anatomy.Order;
import dev.smelt.formats.model.Anatomy.Perceptron;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** The families whose blocks are known, each as in Hugging Face's transformers. */
final class Anatomies {

  private static final Keys USUAL =
      new Keys(
          List.of("num_hidden_layers"),
          List.of("hidden_size"),
          List.of("intermediate_size"),
          List.of("num_attention_heads"));

  private static final Keys OF_GPT2 =
      new Keys(
          List.of("n_layer", "num_hidden_layers"),
          List.of("n_embd", "hidden_size"),
          List.of("n_inner"),
          List.of("n_head", "num_attention_heads"));

  private static final Keys OF_DISTILBERT =
      new Keys(
          List.of("n_layers", "num_hidden_layers"),
          List.of("dim", "hidden_size"),
          List.of("hidden_dim"),
          List.of("n_heads", "num_attention_heads"));

  private static final Perceptron GATED =
      new Perceptron(List.of("mlp.gate_proj", "mlp.up_proj"), 1, "mlp.down_proj");

  private static final Attention GROUPED =
      new Attention(
          List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
          Layout.APART,
          "self_attn.o_proj");

  private static final Perceptron DENSE =
      new Perceptron(List.of("intermediate.dense"), 1, "output.dense");

  private static final Attention OF_BERT =
      new Attention(
          List.of("attention.self.query", "attention.self.key", "attention.self.value"),
          Layout.APART,
          "attention.output.dense");

  private static final SortedMap<String, Anatomy> KNOWN = new TreeMap<>();

  static {
    put(
        "gpt2",
        "h",
        OF_GPT2,
        new Perceptron(List.of("mlp.c_fc"), 1, "mlp.c_proj"),
        new Attention(List.of("attn.c_attn"), Layout.BELOW, "attn.c_proj"),
        HeadCount.BY_LAYER,
        Order.SCALE);
    put(
        "gpt_neox",
        "layers",
        USUAL,
        new Perceptron(List.of("mlp.dense_h_to_4h"), 1, "mlp.dense_4h_to_h"),
        new Attention(List.of("attention.query_key_value"), Layout.BY_HEAD, "attention.dense"),
        HeadCount.FIXED,
        Order.NONE);
    for (Map.Entry<String, Order> family :
        Map.of(
                "llama", Order.NONE,
                "mistral", Order.NONE,
                "gemma", Order.NONE,
                "gemma2", Order.EVEN_WINDOWS,
                "qwen2", Order.UPPER_WINDOWS,
                "qwen3", Order.UPPER_WINDOWS)
            .entrySet()) {
      put(
          family.getKey(),
          "layers",
          USUAL,
          GATED,
          GROUPED,
          HeadCount.IN_ALL_LAYERS,
          family.getValue());
    }
    put(
        "phi3",
        "layers",
        USUAL,
        new Perceptron(List.of("mlp.gate_up_proj"), 2, "mlp.down_proj"),
        new Attention(List.of("self_attn.qkv_proj"), Layout.BELOW, "self_attn.o_proj"),
        HeadCount.IN_ALL_LAYERS,
        Order.NONE);
    for (String type : List.of("bert", "roberta")) {
      put(type, "encoder.layer", USUAL, DENSE, OF_BERT, HeadCount.BY_LAYER, Order.NONE);
    }
    put(
        "vit",
        "encoder.layer",
        USUAL,
        DENSE,
        new Attention(
            List.of(
                "attention.attention.query",
                "attention.attention.key",
                "attention.attention.value"),
            Layout.APART,
            "attention.output.dense"),
        HeadCount.BY_LAYER,
        Order.NONE);
    put(
        "distilbert",
        "transformer.layer",
        OF_DISTILBERT,
        new Perceptron(List.of("ffn.lin1"), 1, "ffn.lin2"),
        new Attention(
            List.of("attention.q_lin", "attention.k_lin", "attention.v_lin"),
            Layout.APART,
            "attention.out_lin"),
        HeadCount.BY_LAYER,
        Order.NONE);
  }

  private Anatomies() {}

  private static void put(
      String type,
      String blocks,
      Keys keys,
      Perceptron perceptron,
      Attention attention,
      HeadCount headCount,
      Order order) {
    Architecture architecture = Architecture.named(type).orElseThrow();
    KNOWN.put(
        type, new Anatomy(architecture, blocks, keys, perceptron, attention, headCount, order));
  }

  static Optional<Anatomy> named(String modelType) {
    return Optional.ofNullable(KNOWN.get(modelType));
  }

  static SortedSet<String> names() {
    return Collections.unmodifiableSortedSet(new TreeSet<>(KNOWN.keySet()));
  }
}
