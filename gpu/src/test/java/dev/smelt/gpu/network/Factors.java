package dev.smelt.gpu.network;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.plain.TinyModels;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;

/** Tiny models whose block matrices, and heads of their own, are random factors of rank 3. */
public final class Factors {

  private static final int RANK = 3;
  private static final Pattern BLOCK_MATRIX =
      Pattern.compile(
          "((.*\\.)?(c_attn|c_proj|c_fc|query|key|value|dense\\w*|\\w+_proj|query_key_value"
              + "|\\w_lin|out_lin|lin\\d|vocab_transform|pre_classifier|lm_head|embed_out|score))"
              + "\\.weight");

  private Factors() {}

  /** Replaces every such matrix; GPT-2 stores them [in, out], the factors are [out, in]. */
  public static TinyModel ofEveryModule(TinyModel dense) {
    Random random = new Random(99);
    TinyModel model = dense;
    for (String module : modules(dense)) {
      boolean transposed = module.startsWith("transformer.");
      Tensor weight = dense.tensor(module + ".weight");
      long out = weight.shape().size(transposed ? 1 : 0);
      long in = weight.shape().size(transposed ? 0 : 1);
      model =
          model
              .without(module + ".weight")
              .without(module + ".bias")
              .withTensor(module + ".BLinear.weight", TinyModels.random(random, RANK, in))
              .withTensor(module + ".ALinear.weight", TinyModels.random(random, out, RANK));
      if (dense.has(module + ".bias")) {
        model = model.withTensor(module + ".ALinear.bias", dense.tensor(module + ".bias"));
      }
    }
    return model;
  }

  /** The dense model of the factors, with products in f64. */
  public static TinyModel expanded(TinyModel factors, TinyModel dense) {
    TinyModel model = dense;
    for (String module : modules(dense)) {
      boolean transposed = module.startsWith("transformer.");
      Shape shape = dense.tensor(module + ".weight").shape();
      Tensor a = factors.tensor(module + ".ALinear.weight");
      Tensor b = factors.tensor(module + ".BLinear.weight");
      double[] w = new double[(int) shape.elements()];
      int columns = (int) shape.size(1);
      for (int i = 0; i < w.length; i++) {
        int out = transposed ? i % columns : i / columns;
        int in = transposed ? i / columns : i % columns;
        for (int k = 0; k < RANK; k++) {
          w[i] += a.values()[out * RANK + k] * b.values()[k * (int) b.shape().size(1) + in];
        }
      }
      model = model.withTensor(module + ".weight", new Tensor(shape, w));
    }
    return model;
  }

  private static List<String> modules(TinyModel dense) {
    return dense.tensors().keySet().stream()
        .map(BLOCK_MATRIX::matcher)
        .filter(java.util.regex.Matcher::matches)
        .map(matcher -> matcher.group(1))
        .toList();
  }
}
