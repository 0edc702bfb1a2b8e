package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import dev.smelt.formats.model.PrunedHeads;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One layer of an encoder: attention of every token to every token, then a two-layer perceptron,
 * each added to what came in.
 */
record EncoderBlock(
    Linear query,
    Linear key,
    Linear value,
    Linear attentionOutput,
    LayerNorm attentionNorm,
    Linear up,
    Linear down,
    LayerNorm norm,
    int heads,
    Sizes sizes) {

  /** Modules of a layer, as a family names them. */
  record Names(
      String query,
      String key,
      String value,
      String attentionOutput,
      String attentionNorm,
      String up,
      String down,
      String norm) {}

  /**
   * What a config says of all layers.
   *
   * @param heads by layer; those of a layer that has all of them divide {@code width}
   * @param bias of query, key and value
   */
  record Sizes(
      int width, int inner, PrunedHeads heads, Activation activation, double epsilon, Bias bias) {

    int headWidth() {
      return width / heads.heads();
    }
  }

  /**
   * @param path of a layer without its number
   */
  static List<EncoderBlock> stack(
      Weights weights, String path, int layers, Names names, Sizes sizes) {
    return IntStream.range(0, layers)
        .mapToObj(i -> of(weights.in(path + "." + i), names, sizes.heads().left(i), sizes))
        .toList();
  }

  private static EncoderBlock of(Weights layer, Names names, int heads, Sizes sizes) {
    int width = sizes.width();
    long mixed = (long) heads * sizes.headWidth();
    int inner = sizes.inner();
    return new EncoderBlock(
        layer.linear(names.query(), width, mixed, Layout.OUT_IN, sizes.bias()),
        layer.linear(names.key(), width, mixed, Layout.OUT_IN, sizes.bias()),
        layer.linear(names.value(), width, mixed, Layout.OUT_IN, sizes.bias()),
        layer.linear(names.attentionOutput(), mixed, width, Layout.OUT_IN, Bias.YES),
        layer.layerNorm(names.attentionNorm(), width, sizes.epsilon()),
        layer.linear(names.up(), width, inner, Layout.OUT_IN, Bias.YES),
        layer.linear(names.down(), inner, width, Layout.OUT_IN, Bias.YES),
        layer.layerNorm(names.norm(), width, sizes.epsilon()),
        heads,
        sizes);
  }

  /** x ← norm(x + attention x), then x ← norm(x + perceptron x), as BERT does. */
  NDArray normAfter(NDArray x, NDArray bias, Tape tape) {
    NDArray y = attentionNorm.forward(attention(x, bias, tape).add(x), tape);
    return norm.forward(perceptron(y, tape).add(y), tape);
  }

  /** x ← x + attention(norm x), then x ← x + perceptron(norm x), as ViT does. */
  NDArray normBefore(NDArray x, NDArray bias, Tape tape) {
    NDArray y = attention(attentionNorm.forward(x, tape), bias, tape).add(x);
    return perceptron(norm.forward(y, tape), tape).add(y);
  }

  private NDArray attention(NDArray x, NDArray bias, Tape tape) {
    NDArray mixed =
        Attention.attend(
            query.forward(x, tape),
            key.forward(x, tape),
            value.forward(x, tape),
            heads,
            1 / Math.sqrt(sizes.headWidth()),
            bias);
    return attentionOutput.forward(mixed, tape);
  }

  private NDArray perceptron(NDArray x, Tape tape) {
    return down.forward(sizes.activation().apply(up.forward(x, tape)), tape);
  }
}
