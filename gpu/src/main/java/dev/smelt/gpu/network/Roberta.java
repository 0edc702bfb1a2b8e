package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;
import java.util.Map;

/**
 * RoBERTa, as in Hugging Face's {@code modeling_roberta}: BERT without segments, whose positions
 * count from the padding token's id plus 1.
 */
final class Roberta {

  private static final String PREFIX = "roberta";

  private static final MaskedHead.Names HEAD =
      new MaskedHead.Names(
          "lm_head.dense",
          "lm_head.layer_norm",
          "lm_head.decoder",
          List.of("lm_head.bias", "lm_head.decoder.bias"));

  private Roberta() {}

  /** The first token, through a layer of its own, decides. */
  static Built classifier(ModelConfig config, Weights weights, ScriptFunctions functions) {
    BertEncoder encoder = new BertEncoder(config, weights.inOptional(PREFIX), functions);
    List<String> labels = ClassNames.of(config, weights, "classifier.out_proj.weight");
    int width = encoder.width();
    Linear dense = weights.linear("classifier.dense", width, width, Layout.OUT_IN, Bias.YES);
    Linear output =
        weights.linear("classifier.out_proj", width, labels.size(), Layout.OUT_IN, Bias.YES);
    int padding = padding(config);
    return new Built(
        (manager, batch, tape) -> {
          NDArray hidden = hidden(encoder, padding, manager, batch.tokens(), tape);
          NDArray inner = dense.forward(BertEncoder.first(hidden), tape).tanh();
          return output.forward(inner, tape);
        },
        input(config, Task.CLASSIFICATION, labels),
        Map.of());
  }

  static Built maskedModel(ModelConfig config, Weights weights, ScriptFunctions functions) {
    BertEncoder encoder = new BertEncoder(config, weights.inOptional(PREFIX), functions);
    Activation gelu = Activation.named("gelu", config.where(), functions);
    MaskedHead head =
        MaskedHead.of(config, weights, HEAD, encoder.tokens(), gelu, encoder.epsilon());
    int padding = padding(config);
    return new Built(
        (manager, batch, tape) ->
            head.forward(hidden(encoder, padding, manager, batch.tokens(), tape), tape),
        input(config, Task.MASKED_LANGUAGE_MODELING, List.of()),
        head.aliases());
  }

  private static NDArray hidden(
      BertEncoder encoder, int padding, NDManager manager, TokenBatch batch, Tape tape) {
    int[] segments = new int[batch.ids().length];
    return encoder.hidden(manager, batch, positions(batch, padding), segments, tape);
  }

  /**
   * Tokens are numbered from {@code padding + 1} on; the padding token itself, wherever it stands,
   * is not counted and has its own id as its position.
   */
  private static int[] positions(TokenBatch batch, int padding) {
    int[] positions = new int[batch.ids().length];
    for (int b = 0; b < batch.size(); b++) {
      int next = padding + 1;
      for (int t = 0; t < batch.length(); t++) {
        int at = b * batch.length() + t;
        boolean counts = t < batch.lengths()[b] && batch.ids()[at] != padding;
        positions[at] = counts ? next++ : padding;
      }
    }
    return positions;
  }

  private static int padding(ModelConfig config) {
    return config.integer("pad_token_id").orElse(1);
  }

  private static InputSpec input(ModelConfig config, Task task, List<String> labels) {
    int positions = config.size("max_position_embeddings");
    int padding = padding(config);
    if (padding < 0 || positions < padding + 2) {
      throw new CorruptException(
          "no room for positions",
          config.where(),
          "expected 0 <= pad_token_id <= max_position_embeddings - 2, found "
              + padding
              + " and "
              + positions,
          "");
    }
    return new InputSpec.Tokens(task, positions - padding - 1, config.size("vocab_size"), labels);
  }
}
