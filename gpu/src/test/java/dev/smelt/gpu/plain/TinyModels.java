package dev.smelt.gpu.plain;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Random models of every built-in architecture, the same in every run. */
public final class TinyModels {

  public static final int VOCABULARY = 11;
  public static final int POSITIONS = 7;
  public static final int CLASSES = 3;
  private static final int WIDTH = 8;
  private static final int INNER = 12;
  private static final int LAYERS = 2;
  private static final long SEED = 20_260_101;

  private final Random random = new Random(SEED);
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private TinyModels() {}

  public static TinyModel gpt2() {
    TinyModels models = new TinyModels();
    models.gpt2Body();
    return new TinyModel(gpt2Config("GPT2LMHeadModel"), models.tensors);
  }

  /** A language model of one block with that many inner units. */
  public static TinyModel gpt2Wide(int inner) {
    TinyModels models = new TinyModels();
    models.gpt2Body(1, inner);
    Map<String, Object> config = gpt2Config("GPT2LMHeadModel");
    config.put("n_layer", 1);
    config.put("n_inner", inner);
    return new TinyModel(config, models.tensors);
  }

  public static TinyModel gpt2Classifier() {
    TinyModels models = new TinyModels();
    models.gpt2Body();
    models.add("score.weight", CLASSES, WIDTH);
    Map<String, Object> config = gpt2Config("GPT2ForSequenceClassification");
    config.put("id2label", Map.of("0", "low", "1", "middle", "2", "high"));
    return new TinyModel(config, models.tensors);
  }

  public static TinyModel bert() {
    TinyModels models = new TinyModels();
    models.bertBody();
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("model_type", "bert");
    config.put("architectures", List.of("BertForSequenceClassification"));
    config.put("vocab_size", VOCABULARY);
    config.put("hidden_size", WIDTH);
    config.put("num_hidden_layers", LAYERS);
    config.put("num_attention_heads", 2);
    config.put("intermediate_size", INNER);
    config.put("max_position_embeddings", POSITIONS);
    config.put("type_vocab_size", 2);
    config.put("layer_norm_eps", 1e-12);
    config.put("id2label", Map.of("0", "low", "1", "middle", "2", "high"));
    return new TinyModel(config, models.tensors);
  }

  private static Map<String, Object> gpt2Config(String architecture) {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("model_type", "gpt2");
    config.put("architectures", List.of(architecture));
    config.put("vocab_size", VOCABULARY);
    config.put("n_positions", POSITIONS);
    config.put("n_embd", WIDTH);
    config.put("n_layer", LAYERS);
    config.put("n_head", 2);
    config.put("n_inner", INNER);
    return config;
  }

  private void gpt2Body() {
    gpt2Body(LAYERS, INNER);
  }

  private void gpt2Body(int layers, int inner) {
    add("transformer.wte.weight", VOCABULARY, WIDTH);
    add("transformer.wpe.weight", POSITIONS, WIDTH);
    for (int i = 0; i < layers; i++) {
      String block = "transformer.h." + i + ".";
      norm(block + "ln_1");
      biased(block + "attn.c_attn", WIDTH, 3 * WIDTH, 3 * WIDTH);
      biased(block + "attn.c_proj", WIDTH, WIDTH, WIDTH);
      norm(block + "ln_2");
      biased(block + "mlp.c_fc", WIDTH, inner, inner);
      biased(block + "mlp.c_proj", inner, WIDTH, WIDTH);
    }
    norm("transformer.ln_f");
  }

  private void bertBody() {
    add("bert.embeddings.word_embeddings.weight", VOCABULARY, WIDTH);
    add("bert.embeddings.position_embeddings.weight", POSITIONS, WIDTH);
    add("bert.embeddings.token_type_embeddings.weight", 2, WIDTH);
    norm("bert.embeddings.LayerNorm");
    for (int i = 0; i < LAYERS; i++) {
      String layer = "bert.encoder.layer." + i + ".";
      for (String part : List.of("query", "key", "value")) {
        biased(layer + "attention.self." + part, WIDTH, WIDTH, WIDTH);
      }
      biased(layer + "attention.output.dense", WIDTH, WIDTH, WIDTH);
      norm(layer + "attention.output.LayerNorm");
      biased(layer + "intermediate.dense", INNER, WIDTH, INNER);
      biased(layer + "output.dense", WIDTH, INNER, WIDTH);
      norm(layer + "output.LayerNorm");
    }
    biased("bert.pooler.dense", WIDTH, WIDTH, WIDTH);
    biased("classifier", CLASSES, WIDTH, CLASSES);
  }

  private void biased(String module, int rows, int cols, int bias) {
    add(module + ".weight", rows, cols);
    add(module + ".bias", bias);
  }

  private void norm(String module) {
    Tensor weight = random(random, WIDTH);
    double[] scale = weight.values();
    for (int i = 0; i < scale.length; i++) {
      scale[i] = (float) (1 + scale[i]);
    }
    tensors.put(module + ".weight", weight);
    add(module + ".bias", WIDTH);
  }

  private void add(String name, long... sizes) {
    tensors.put(name, random(random, sizes));
  }

  /** Normal deviates of standard deviation 0.4, exact in f32. */
  public static Tensor random(Random random, long... sizes) {
    Shape shape = Shape.of(sizes);
    double[] values = new double[(int) shape.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.4 * random.nextGaussian());
    }
    return new Tensor(shape, values);
  }
}
