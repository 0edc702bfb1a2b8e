package dev.smelt.compress.structure;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Random models of every family, and what it means to lack a part, written down once more: names,
 * places of heads, keys of configs.
 *
 * @param up matrices whose outputs are hidden units
 * @param down the one that reads them
 * @param in matrices of queries, keys and values
 * @param out the one that reads heads
 * @param transposed whether matrices are stored [in, out]
 * @param postNorm whether norms come after the sums
 */
record Families(
    String name,
    TinyModel model,
    List<Example> examples,
    String path,
    String layersKey,
    String innerKey,
    List<String> up,
    String down,
    List<String> in,
    String out,
    boolean transposed,
    boolean postNorm) {

  static final int LAYERS = 4;
  private static final long SEED = 4711;

  static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  static List<String> decoders() {
    return TinyDecoders.FAMILIES;
  }

  static Families of(String name) {
    Supplier<Families> made = ALL.get(name);
    if (made == null) {
      throw new IllegalArgumentException(name);
    }
    return made.get();
  }

  private static final Map<String, Supplier<Families>> ALL = new LinkedHashMap<>();

  static {
    List<Example> windows = TestData.windows(7, 4);
    List<Example> labelled = TestData.labelled(7, 3);
    List<Example> masked = TestData.masked(7, 4);
    ALL.put("gpt2", () -> gpt2("gpt2", TinyModels.gpt2(), windows));
    ALL.put(
        "gpt2 classifier", () -> gpt2("gpt2 classifier", TinyModels.gpt2Classifier(), labelled));
    for (String type : TinyDecoders.FAMILIES) {
      ALL.put(type, () -> decoder(type, TinyDecoders.languageModel(type), windows));
    }
    ALL.put("qwen3 classifier", () -> decoder("qwen3", TinyDecoders.classifier("qwen3"), labelled));
    ALL.put("bert", () -> bert("bert.", TinyModels.bert(), labelled));
    ALL.put("bert masked", () -> bert("bert.", TinyEncoders.bertMasked(), masked));
    ALL.put("roberta", () -> bert("roberta.", TinyEncoders.roberta(), labelled));
    ALL.put("roberta masked", () -> bert("roberta.", TinyEncoders.robertaMasked(), masked));
    ALL.put("distilbert", () -> distilBert(TinyEncoders.distilBert(), labelled));
    ALL.put("distilbert masked", () -> distilBert(TinyEncoders.distilBertMasked(), masked));
    ALL.put("vit", Families::vit);
  }

  private static Families gpt2(String name, TinyModel model, List<Example> examples) {
    return new Families(
            name,
            model,
            examples,
            "transformer.h.",
            "n_layer",
            "n_inner",
            List.of("mlp.c_fc"),
            "mlp.c_proj",
            List.of("attn.c_attn"),
            "attn.c_proj",
            true,
            false)
        .deeper();
  }

  private static Families decoder(String type, TinyModel model, List<Example> examples) {
    boolean neox = type.equals("gpt_neox");
    boolean fused = type.equals("phi3");
    return new Families(
            type,
            model,
            examples,
            neox ? "gpt_neox.layers." : "model.layers.",
            "num_hidden_layers",
            "intermediate_size",
            neox
                ? List.of("mlp.dense_h_to_4h")
                : fused ? List.of("mlp.gate_up_proj") : List.of("mlp.gate_proj", "mlp.up_proj"),
            neox ? "mlp.dense_4h_to_h" : "mlp.down_proj",
            fused
                ? List.of("self_attn.qkv_proj")
                : List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            neox ? "attention.dense" : "self_attn.o_proj",
            false,
            false)
        .deeper();
  }

  private static Families bert(String prefix, TinyModel model, List<Example> examples) {
    return encoder(prefix + "encoder.layer.", model, examples, "attention.self.", true);
  }

  private static Families vit() {
    return encoder(
        "vit.encoder.layer.",
        TinyEncoders.vit(),
        TinyEncoders.images(2),
        "attention.attention.",
        false);
  }

  private static Families encoder(
      String path, TinyModel model, List<Example> examples, String self, boolean postNorm) {
    return new Families(
            path,
            model,
            examples,
            path,
            "num_hidden_layers",
            "intermediate_size",
            List.of("intermediate.dense"),
            "output.dense",
            List.of(self + "query", self + "key", self + "value"),
            "attention.output.dense",
            false,
            postNorm)
        .deeper();
  }

  private static Families distilBert(TinyModel model, List<Example> examples) {
    return new Families(
            "distilbert",
            model,
            examples,
            "distilbert.transformer.layer.",
            "n_layers",
            "hidden_dim",
            List.of("ffn.lin1"),
            "ffn.lin2",
            List.of("attention.q_lin", "attention.k_lin", "attention.v_lin"),
            "attention.out_lin",
            false,
            true)
        .deeper();
  }

  Families with(TinyModel other) {
    return new Families(
        name, other, examples, path, layersKey, innerKey, up, down, in, out, transposed, postNorm);
  }

  /** With {@link #LAYERS} blocks, those beyond the first two random ones of the same shapes. */
  private Families deeper() {
    Random random = new Random(SEED);
    TinyModel made = model;
    for (int i = 2; i < LAYERS; i++) {
      for (Map.Entry<String, Tensor> entry : model.tensors().entrySet()) {
        String first = path + "0.";
        if (entry.getKey().startsWith(first)) {
          String rest = entry.getKey().substring(first.length());
          Tensor like = entry.getValue();
          Tensor drawn = TinyModels.random(random, like.shape().sizes().toArray());
          if (like.shape().rank() == 1 && rest.endsWith("weight")) {
            double[] values = drawn.values();
            Arrays.setAll(values, k -> (float) (values[k] / 4 + mean(like)));
          }
          made = made.withTensor(path + i + "." + rest, drawn);
        }
      }
    }
    return with(made.withConfig(layersKey, LAYERS));
  }

  /** Norms are about 1, or about 0 where 1 is added. */
  private static double mean(Tensor like) {
    return Math.round(Arrays.stream(like.values()).average().orElseThrow());
  }

  int inner() {
    return model.size(innerKey);
  }

  /** Without the outputs of some hidden units: their rows, biases and columns are 0. */
  Families withoutNeurons(int block, List<Integer> gone) {
    TinyModel zeroed = model;
    for (String module : up) {
      zeroed = zeroed(zeroed, block, module, true, row -> gone.contains(row % inner()));
    }
    return with(zeroed(zeroed, block, down, false, gone::contains));
  }

  /** Without what some heads, or groups of them, add. */
  Families withoutHeads(int block, int groups, List<Integer> gone) {
    int size = (int) model.tensor(name(block, out)).shape().size(transposed ? 0 : 1) / groups;
    return with(zeroed(model, block, out, false, column -> gone.contains(column / size)));
  }

  /** The model of the other blocks alone. */
  Families withoutBlocks(List<Integer> gone) {
    TinyModel made = model;
    for (String tensor : model.tensors().keySet()) {
      if (tensor.startsWith(path)) {
        made = made.without(tensor);
      }
    }
    int place = 0;
    for (int block = 0; block < LAYERS; block++) {
      if (!gone.contains(block)) {
        for (Map.Entry<String, Tensor> entry : model.tensors().entrySet()) {
          String prefix = path + block + ".";
          if (entry.getKey().startsWith(prefix)) {
            String rest = entry.getKey().substring(prefix.length());
            made = made.withTensor(path + place + "." + rest, entry.getValue());
          }
        }
        place++;
      }
    }
    return with(made.withConfig(layersKey, place));
  }

  /** Blocks that add nothing, of networks with norms before the sums. */
  Families withSilentBlocks(List<Integer> gone) {
    TinyModel made = model;
    for (int block : gone) {
      for (String module : List.of(out, down)) {
        made = zeroed(made, block, module, true, _ -> true);
      }
    }
    return with(made);
  }

  String name(int block, String module) {
    return path + block + "." + module + ".weight";
  }

  /** With rows or columns of W [out, in], and with rows their biases, set to 0. */
  private TinyModel zeroed(
      TinyModel from, int block, String module, boolean rows, IntPredicate which) {
    String weight = name(block, module);
    String bias = path + block + "." + module + ".bias";
    Tensor w = from.tensor(weight);
    int columns = (int) w.shape().size(1);
    boolean alongRows = rows != transposed;
    double[] values = w.values().clone();
    for (int i = 0; i < values.length; i++) {
      if (which.test(alongRows ? i / columns : i % columns)) {
        values[i] = 0;
      }
    }
    TinyModel made = from.withTensor(weight, new Tensor(w.shape(), values));
    if (rows && from.has(bias)) {
      double[] b = from.tensor(bias).values().clone();
      IntStream.range(0, b.length).filter(which).forEach(i -> b[i] = 0);
      made = made.withTensor(bias, new Tensor(Shape.of(b.length), b));
    }
    return made;
  }
}
