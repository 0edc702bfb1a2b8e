package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.TensorBatch;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Convolution;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.Offset;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import dev.smelt.gpu.torch.Tensors;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * ViT (Dosovitskiy et al. 2021) as a classifier of images, as in Hugging Face's {@code
 * modeling_vit}: patches of the image and a class token in front of them, whose final state
 * decides. Positions are those of the image size in the config; they are not interpolated. Dropout
 * is off.
 */
final class Vit implements Model {

  private static final EncoderBlock.Names NAMES =
      new EncoderBlock.Names(
          "attention.attention.query",
          "attention.attention.key",
          "attention.attention.value",
          "attention.output.dense",
          "layernorm_before",
          "intermediate.dense",
          "output.dense",
          "layernorm_after");

  /** Height and width. */
  private record Pair(int height, int width) {}

  private final Convolution patches;
  private final Offset classToken;
  private final Offset positions;
  private final List<EncoderBlock> blocks;
  private final LayerNorm norm;
  private final Linear classifier;

  private Vit(
      ModelConfig config, Weights weights, ScriptFunctions functions, InputSpec.Images input) {
    Configs.refuse(config, "interpolate_pos_encoding", "interpolation of positions");
    int width = config.size("hidden_size");
    double epsilon = config.number("layer_norm_eps", 1e-12);
    String activation = config.text("hidden_act").orElse("gelu");
    Pair patch = pair(config, "patch_size", 16);
    long count = (long) (input.height() / patch.height()) * (input.width() / patch.width());
    Weights base = weights.inOptional("vit");
    Weights embeddings = base.in("embeddings");
    classToken = new Offset(embeddings.parameter("cls_token", 1, 1, width));
    positions = new Offset(embeddings.parameter("position_embeddings", 1, count + 1, width));
    Shape square = new Shape(patch.height(), patch.width());
    patches =
        embeddings.convolution(
            "patch_embeddings.projection",
            input.channels(),
            width,
            Convolution.Kernel.of(square).withStride(square),
            Bias.YES,
            functions);
    int layers = config.size("num_hidden_layers");
    blocks =
        EncoderBlock.stack(
            base,
            "encoder.layer",
            layers,
            NAMES,
            new EncoderBlock.Sizes(
                width,
                config.size("intermediate_size"),
                Configs.prunedHeads(config, layers, "hidden_size", "num_attention_heads"),
                Activation.named(activation, config.where() + "|hidden_act", functions),
                epsilon,
                config.flag("qkv_bias", true) ? Bias.YES : Bias.NO));
    norm = base.layerNorm("layernorm", width, epsilon);
    classifier =
        weights.linear("classifier", width, input.labels().size(), Layout.OUT_IN, Bias.YES);
  }

  static Built classifier(ModelConfig config, Weights weights, ScriptFunctions functions) {
    List<String> labels = ClassNames.of(config, weights, "classifier.weight");
    Pair image = pair(config, "image_size", 224);
    int channels = config.integer("num_channels").orElse(3);
    InputSpec.Images input = new InputSpec.Images(channels, image.height(), image.width(), labels);
    return new Built(new Vit(config, weights, functions, input), input, Map.of());
  }

  /** A size that is one number for both axes, or a list of two. */
  private static Pair pair(ModelConfig config, String key, int absent) {
    JsonNode value = config.get(key);
    Pair pair;
    if (value.isArray()
        && value.size() == 2
        && value.path(0).canConvertToInt()
        && value.path(1).canConvertToInt()) {
      pair = new Pair(value.path(0).intValue(), value.path(1).intValue());
    } else {
      int size = config.integer(key).orElse(absent);
      pair = new Pair(size, size);
    }
    if (pair.height() < 1 || pair.width() < 1) {
      throw new CorruptException(
          "config size not positive", config.where(), key + " = " + value, "");
    }
    return pair;
  }

  @Override
  public NDArray logits(NDManager manager, Batch examples, Tape tape) {
    TensorBatch batch = examples.values();
    NDArray image =
        Tensors.ofFloats(
            manager,
            batch.elements(),
            batch.size(),
            batch.shape().size(0),
            batch.shape().size(1),
            batch.shape().size(2));
    NDArray tokens =
        NDArrays.concat(
            new NDList(classToken.repeated(manager, batch.size(), tape), patches.flat(image, tape)),
            1);
    NDArray x = positions.added(tokens, tape);
    NDArray noBias = manager.zeros(new Shape(1), DataType.FLOAT32);
    for (int i = 0; i < blocks.size(); i++) {
      tape.hidden(i, x);
      x = blocks.get(i).normBefore(x, noBias, tape);
    }
    tape.hidden(blocks.size(), x);
    return classifier.forward(BertEncoder.first(norm.forward(x, tape)), tape);
  }
}
