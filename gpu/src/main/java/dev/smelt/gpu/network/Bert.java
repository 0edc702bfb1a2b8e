package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;
import java.util.Map;

/** BERT, as in Hugging Face's {@code modeling_bert}. */
final class Bert {

  private static final String PREFIX = "bert";

  private static final MaskedHead.Names HEAD =
      new MaskedHead.Names(
          "cls.predictions.transform.dense",
          "cls.predictions.transform.LayerNorm",
          "cls.predictions.decoder",
          List.of("cls.predictions.bias", "cls.predictions.decoder.bias"));

  private Bert() {}

  /** The first token, through the pooler, decides. */
  static Built classifier(ModelConfig config, Weights weights, ScriptFunctions functions) {
    Weights base = weights.inOptional(PREFIX);
    BertEncoder encoder = new BertEncoder(config, base, functions);
    List<String> labels = ClassNames.of(config, weights, "classifier.weight");
    int width = encoder.width();
    Linear pooler = base.linear("pooler.dense", width, width, Layout.OUT_IN, Bias.YES);
    Linear classifier = weights.linear("classifier", width, labels.size(), Layout.OUT_IN, Bias.YES);
    return new Built(
        (manager, batch, tape) -> {
          NDArray first = BertEncoder.first(hidden(encoder, manager, batch.tokens(), tape));
          return classifier.forward(pooler.forward(first, tape).tanh(), tape);
        },
        input(config, Task.CLASSIFICATION, labels),
        Map.of());
  }

  static Built maskedModel(ModelConfig config, Weights weights, ScriptFunctions functions) {
    BertEncoder encoder = new BertEncoder(config, weights.inOptional(PREFIX), functions);
    MaskedHead head =
        MaskedHead.of(
            config, weights, HEAD, encoder.tokens(), encoder.activation(), encoder.epsilon());
    return new Built(
        (manager, batch, tape) ->
            head.forward(hidden(encoder, manager, batch.tokens(), tape), tape),
        input(config, Task.MASKED_LANGUAGE_MODELING, List.of()),
        head.aliases());
  }

  private static NDArray hidden(
      BertEncoder encoder, NDManager manager, TokenBatch batch, Tape tape) {
    int[] positions = Positions.counting(batch.size(), batch.length());
    return encoder.hidden(manager, batch, positions, batch.segments(), tape);
  }

  private static InputSpec input(ModelConfig config, Task task, List<String> labels) {
    return new InputSpec.Tokens(
        task, config.size("max_position_embeddings"), config.size("vocab_size"), labels);
  }
}
