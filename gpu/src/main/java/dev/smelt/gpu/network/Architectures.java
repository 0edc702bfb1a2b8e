package dev.smelt.gpu.network;

import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** The networks that are built in, by the name of their class in Hugging Face's transformers. */
final class Architectures {

  /** Checks a config and asks the weights for its layers. */
  @FunctionalInterface
  private interface Builder {
    Built build(ModelConfig config, Weights weights, ScriptFunctions functions);
  }

  private record Known(String modelType, Builder builder) {}

  private static final SortedMap<String, Known> KNOWN =
      new TreeMap<>(
          Map.of(
              "GPT2LMHeadModel", new Known("gpt2", Gpt2::languageModel),
              "GPT2ForSequenceClassification", new Known("gpt2", Gpt2::classifier),
              "BertForSequenceClassification", new Known("bert", Bert::classifier),
              "BertForMaskedLM", new Known("bert", Bert::maskedModel),
              "RobertaForSequenceClassification", new Known("roberta", Roberta::classifier),
              "RobertaForMaskedLM", new Known("roberta", Roberta::maskedModel),
              "DistilBertForSequenceClassification",
                  new Known("distilbert", DistilBert::classifier),
              "DistilBertForMaskedLM", new Known("distilbert", DistilBert::maskedModel),
              "ViTForImageClassification", new Known("vit", Vit::classifier)));

  private Architectures() {}

  /**
   * @throws UnsupportedException listing the supported ones when the config names another
   */
  static Built build(ModelConfig config, Weights weights, ScriptFunctions functions) {
    List<String> names = config.architectures();
    if (names.size() == 1) {
      Known known = KNOWN.get(names.getFirst());
      if (known != null && known.modelType().equals(config.modelType())) {
        return known.builder().build(config, weights, functions);
      }
    }
    throw new UnsupportedException(
        "network not supported",
        config.where(),
        "found model_type " + config.modelType() + " with architectures " + names,
        "built in are "
            + String.join(", ", KNOWN.keySet())
            + "; any other runs from TorchScript with --script");
  }
}
