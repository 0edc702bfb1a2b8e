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

  private static final SortedMap<String, Known> KNOWN = new TreeMap<>();

  static {
    put("bert", "BertForSequenceClassification", Bert::classifier);
    put("bert", "BertForMaskedLM", Bert::maskedModel);
    put("roberta", "RobertaForSequenceClassification", Roberta::classifier);
    put("roberta", "RobertaForMaskedLM", Roberta::maskedModel);
    put("distilbert", "DistilBertForSequenceClassification", DistilBert::classifier);
    put("distilbert", "DistilBertForMaskedLM", DistilBert::maskedModel);
    put("vit", "ViTForImageClassification", Vit::classifier);
    causal("gpt2", "GPT2LMHeadModel", "GPT2ForSequenceClassification", Gpt2::build);
    causal("gpt_neox", "GPTNeoX", GptNeoX::build);
    decoder("gemma", "Gemma", DecoderFamily.GEMMA);
    decoder("gemma2", "Gemma2", DecoderFamily.GEMMA2);
    decoder("llama", "Llama", DecoderFamily.LLAMA);
    decoder("mistral", "Mistral", DecoderFamily.MISTRAL);
    decoder("phi3", "Phi3", DecoderFamily.PHI3);
    decoder("qwen2", "Qwen2", DecoderFamily.QWEN2);
    decoder("qwen3", "Qwen3", DecoderFamily.QWEN3);
  }

  private static void put(String modelType, String name, Builder builder) {
    KNOWN.put(name, new Known(modelType, builder));
  }

  /** As {@link Builder}, for a language model or a classifier. */
  @FunctionalInterface
  private interface CausalBuilder {
    Built build(Task task, ModelConfig config, Weights weights, ScriptFunctions functions);
  }

  private static void decoder(String modelType, String name, DecoderFamily family) {
    causal(
        modelType,
        name,
        (task, config, weights, functions) ->
            Decoder.build(family, task, config, weights, functions));
  }

  private static void causal(String modelType, String name, CausalBuilder builder) {
    causal(modelType, name + "ForCausalLM", name + "ForSequenceClassification", builder);
  }

  private static void causal(
      String modelType, String languageModel, String classifier, CausalBuilder builder) {
    KNOWN.put(
        languageModel,
        new Known(modelType, (c, w, f) -> builder.build(Task.LANGUAGE_MODELING, c, w, f)));
    KNOWN.put(
        classifier, new Known(modelType, (c, w, f) -> builder.build(Task.CLASSIFICATION, c, w, f)));
  }

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
