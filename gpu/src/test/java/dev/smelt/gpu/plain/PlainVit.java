package dev.smelt.gpu.plain;

import dev.smelt.gpu.data.Example;
import java.util.List;

/** ViT, one image at a time. */
final class PlainVit {

  private PlainVit() {}

  static double[][] classifier(TinyModel model, Example.Values example) {
    double epsilon = (Double) model.config("layer_norm_eps", 1e-12);
    String activation = (String) model.config("hidden_act", "gelu");
    int heads = model.size("num_attention_heads");
    double[][] x = embedded(model, example);
    for (int i = 0; i < model.size("num_hidden_layers"); i++) {
      String layer = "vit.encoder.layer." + i + ".";
      double[][] normed = PlainMath.layerNorm(model, layer + "layernorm_before", epsilon, x);
      double[][] mixed =
          PlainEncoder.attention(model, layer + "attention.attention.", heads, normed);
      x = PlainMath.sum(x, PlainMath.linear(model, layer + "attention.output.dense", false, mixed));
      normed = PlainMath.layerNorm(model, layer + "layernorm_after", epsilon, x);
      double[][] inner =
          PlainMath.activate(
              activation, PlainMath.linear(model, layer + "intermediate.dense", false, normed));
      x = PlainMath.sum(x, PlainMath.linear(model, layer + "output.dense", false, inner));
    }
    double[][] first = {PlainMath.layerNorm(model, "vit.layernorm", epsilon, x)[0]};
    return PlainMath.linear(model, "classifier", false, first);
  }

  /** The class token and the patches, row by row, each with its position added. */
  private static double[][] embedded(TinyModel model, Example.Values example) {
    String embeddings = "vit.embeddings.";
    int width = model.size("hidden_size");
    int channels = (int) example.shape().size(0);
    int[] patch = pair(model, "patch_size");
    int[] image = pair(model, "image_size");
    float[] stored = new float[(int) example.shape().elements()];
    example.source().read(stored, 0);
    double[] pixels = new double[stored.length];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = stored[i];
    }
    double[] maps =
        PlainConvolution.of(
            pixels,
            model.tensor(embeddings + "patch_embeddings.projection.weight").values(),
            model.tensor(embeddings + "patch_embeddings.projection.bias").values(),
            new int[] {width, channels, image[0], image[1], patch[0], patch[1]},
            patch,
            new int[] {0, 0},
            new int[] {1, 1});
    int count = maps.length / width;
    double[] positions = model.tensor(embeddings + "position_embeddings").values();
    double[] classToken = model.tensor(embeddings + "cls_token").values();
    double[][] x = new double[count + 1][width];
    for (int t = 0; t <= count; t++) {
      for (int i = 0; i < width; i++) {
        x[t][i] = (t == 0 ? classToken[i] : maps[i * count + t - 1]) + positions[t * width + i];
      }
    }
    return x;
  }

  private static int[] pair(TinyModel model, String key) {
    Object value = model.config(key, 0);
    return value instanceof List<?> list
        ? new int[] {(Integer) list.get(0), (Integer) list.get(1)}
        : new int[] {(Integer) value, (Integer) value};
  }
}
