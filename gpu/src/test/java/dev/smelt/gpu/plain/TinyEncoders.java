package dev.smelt.gpu.plain;

import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Random encoders of text and of images, the same in every run. */
public final class TinyEncoders {

  private static final int WIDTH = 8;
  private static final int INNER = 12;
  private static final int LAYERS = 2;

  private static final int CHANNELS = 3;
  private static final int HEIGHT = 4;
  private static final int IMAGE_WIDTH = 9;

  private static final Map<String, String> LABELS = Map.of("0", "low", "1", "middle", "2", "high");

  private final Random random = new Random(20_260_202);
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, Object> config = new LinkedHashMap<>();

  /** Random images for {@link #vit}. */
  public static List<Example> images(int count) {
    return TestData.images(count, CHANNELS, HEIGHT, IMAGE_WIDTH);
  }

  private TinyEncoders(String type, String architecture) {
    config.put("model_type", type);
    config.put("architectures", List.of(architecture));
  }

  public static TinyModel bertMasked() {
    TinyEncoders made = new TinyEncoders("bert", "BertForMaskedLM");
    made.bertBody("bert.", TinyModels.POSITIONS, 2);
    made.linear("cls.predictions.transform.dense", WIDTH, WIDTH);
    made.norm("cls.predictions.transform.LayerNorm");
    made.add("cls.predictions.bias", TinyModels.VOCABULARY);
    return made.model();
  }

  public static TinyModel roberta() {
    TinyEncoders made = new TinyEncoders("roberta", "RobertaForSequenceClassification");
    made.config.put("id2label", LABELS);
    made.bertBody("roberta.", TinyModels.POSITIONS + 2, 1);
    made.linear("classifier.dense", WIDTH, WIDTH);
    made.linear("classifier.out_proj", TinyModels.CLASSES, WIDTH);
    return made.model();
  }

  public static TinyModel robertaMasked() {
    TinyEncoders made = new TinyEncoders("roberta", "RobertaForMaskedLM");
    made.bertBody("roberta.", TinyModels.POSITIONS + 2, 1);
    made.linear("lm_head.dense", WIDTH, WIDTH);
    made.norm("lm_head.layer_norm");
    made.add("lm_head.bias", TinyModels.VOCABULARY);
    return made.model();
  }

  public static TinyModel distilBert() {
    TinyEncoders made = new TinyEncoders("distilbert", "DistilBertForSequenceClassification");
    made.config.put("id2label", LABELS);
    made.distilBody();
    made.linear("pre_classifier", WIDTH, WIDTH);
    made.linear("classifier", TinyModels.CLASSES, WIDTH);
    return made.model();
  }

  public static TinyModel distilBertMasked() {
    TinyEncoders made = new TinyEncoders("distilbert", "DistilBertForMaskedLM");
    made.distilBody();
    made.linear("vocab_transform", WIDTH, WIDTH);
    made.norm("vocab_layer_norm");
    made.add("vocab_projector.bias", TinyModels.VOCABULARY);
    return made.model();
  }

  /** Patches of 2×3 in images of 4×9: six of them. */
  public static TinyModel vit() {
    TinyEncoders made = new TinyEncoders("vit", "ViTForImageClassification");
    made.config.put("id2label", LABELS);
    made.config.put("image_size", List.of(HEIGHT, IMAGE_WIDTH));
    made.config.put("patch_size", List.of(2, 3));
    made.config.put("num_channels", CHANNELS);
    made.sizes();
    made.add("vit.embeddings.cls_token", 1, 1, WIDTH);
    made.add("vit.embeddings.position_embeddings", 1, 7, WIDTH);
    made.add("vit.embeddings.patch_embeddings.projection.weight", WIDTH, CHANNELS, 2, 3);
    made.add("vit.embeddings.patch_embeddings.projection.bias", WIDTH);
    for (int i = 0; i < LAYERS; i++) {
      String layer = "vit.encoder.layer." + i + ".";
      made.norm(layer + "layernorm_before");
      for (String part : List.of("query", "key", "value")) {
        made.linear(layer + "attention.attention." + part, WIDTH, WIDTH);
      }
      made.linear(layer + "attention.output.dense", WIDTH, WIDTH);
      made.norm(layer + "layernorm_after");
      made.linear(layer + "intermediate.dense", INNER, WIDTH);
      made.linear(layer + "output.dense", WIDTH, INNER);
    }
    made.norm("vit.layernorm");
    made.linear("classifier", TinyModels.CLASSES, WIDTH);
    return made.model();
  }

  private TinyModel model() {
    return new TinyModel(config, tensors);
  }

  private void sizes() {
    config.put("hidden_size", WIDTH);
    config.put("num_hidden_layers", LAYERS);
    config.put("num_attention_heads", 2);
    config.put("intermediate_size", INNER);
    config.put("layer_norm_eps", 1e-5);
  }

  private void bertBody(String prefix, int positions, int types) {
    sizes();
    config.put("vocab_size", TinyModels.VOCABULARY);
    config.put("max_position_embeddings", positions);
    config.put("type_vocab_size", types);
    add(prefix + "embeddings.word_embeddings.weight", TinyModels.VOCABULARY, WIDTH);
    add(prefix + "embeddings.position_embeddings.weight", positions, WIDTH);
    add(prefix + "embeddings.token_type_embeddings.weight", types, WIDTH);
    norm(prefix + "embeddings.LayerNorm");
    for (int i = 0; i < LAYERS; i++) {
      String layer = prefix + "encoder.layer." + i + ".";
      for (String part : List.of("query", "key", "value")) {
        linear(layer + "attention.self." + part, WIDTH, WIDTH);
      }
      linear(layer + "attention.output.dense", WIDTH, WIDTH);
      norm(layer + "attention.output.LayerNorm");
      linear(layer + "intermediate.dense", INNER, WIDTH);
      linear(layer + "output.dense", WIDTH, INNER);
      norm(layer + "output.LayerNorm");
    }
  }

  private void distilBody() {
    config.put("vocab_size", TinyModels.VOCABULARY);
    config.put("max_position_embeddings", TinyModels.POSITIONS);
    config.put("dim", WIDTH);
    config.put("hidden_dim", INNER);
    config.put("n_layers", LAYERS);
    config.put("n_heads", 2);
    add("distilbert.embeddings.word_embeddings.weight", TinyModels.VOCABULARY, WIDTH);
    add("distilbert.embeddings.position_embeddings.weight", TinyModels.POSITIONS, WIDTH);
    norm("distilbert.embeddings.LayerNorm");
    for (int i = 0; i < LAYERS; i++) {
      String layer = "distilbert.transformer.layer." + i + ".";
      for (String part : List.of("q_lin", "k_lin", "v_lin", "out_lin")) {
        linear(layer + "attention." + part, WIDTH, WIDTH);
      }
      norm(layer + "sa_layer_norm");
      linear(layer + "ffn.lin1", INNER, WIDTH);
      linear(layer + "ffn.lin2", WIDTH, INNER);
      norm(layer + "output_layer_norm");
    }
  }

  private void linear(String module, int out, int in) {
    add(module + ".weight", out, in);
    add(module + ".bias", out);
  }

  private void norm(String module) {
    Tensor weight = TinyModels.random(random, WIDTH);
    double[] scale = weight.values();
    for (int i = 0; i < scale.length; i++) {
      scale[i] = (float) (1 + scale[i]);
    }
    tensors.put(module + ".weight", weight);
    add(module + ".bias", WIDTH);
  }

  private void add(String name, long... sizes) {
    tensors.put(name, TinyModels.random(random, sizes));
  }
}
