package dev.smelt.merge.plan;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.merge.vocabulary.VocabularyCheck;
import java.util.List;
import java.util.Optional;

/** Whether models can be merged at all, as far as their configs and tensor names say. */
final class Compatibility {

  private Compatibility() {}

  /**
   * @param architecture of the first model
   * @throws MismatchException naming the model that does not fit
   */
  static void require(List<MergeInput> inputs, Architecture architecture) {
    requireOneArchitecture(inputs);
    requireOneTying(inputs, architecture);
    requireDense(inputs, architecture);
    VocabularyCheck.requireOneVocabulary(inputs.stream().map(MergeInput::checkpoint).toList());
  }

  private static void requireDense(List<MergeInput> inputs, Architecture architecture) {
    for (MergeInput input : inputs) {
      boolean factors =
          input.checkpoint().infos().stream()
              .anyMatch(tensor -> architecture.role(tensor) == TensorRole.FACTOR);
      if (factors || !LowRank.of(input.checkpoint()).modules().isEmpty()) {
        throw new MismatchException(
            "cannot merge factors",
            input.checkpoint().path().toString(),
            "the checkpoint is factorised, and a mean of factors is not a factor of the mean",
            "run smelt expand on it first");
      }
    }
  }

  private static void requireOneArchitecture(List<MergeInput> inputs) {
    Optional<String> expected = modelType(inputs.getFirst());
    for (MergeInput input : inputs) {
      Optional<String> found = modelType(input);
      if (expected.isPresent() && found.isPresent() && !expected.equals(found)) {
        throw new MismatchException(
            "models of different architectures",
            input.checkpoint().path().toString(),
            "expected model_type " + expected.get() + ", found " + found.get(),
            "merge models of one architecture");
      }
    }
  }

  /** A tied and an untied model have no common config; without a stored head it is all the same. */
  private static void requireOneTying(List<MergeInput> inputs, Architecture architecture) {
    boolean stored =
        inputs.stream()
            .flatMap(input -> input.checkpoint().infos().stream())
            .anyMatch(info -> architecture.tied().containsKey(architecture.bareName(info.name())));
    if (!stored) {
      return;
    }
    boolean expected = isTied(inputs.getFirst());
    for (MergeInput input : inputs) {
      if (input.checkpoint().config().isPresent() && isTied(input) != expected) {
        throw new MismatchException(
            "models of different architectures",
            input.checkpoint().path().toString(),
            "expected tie_word_embeddings " + expected + ", found " + !expected,
            "merge models of one architecture");
      }
    }
  }

  /** As in the config; without one ties hold. */
  static boolean isTied(MergeInput input) {
    Optional<ModelConfig> config = input.checkpoint().config();
    return config.map(known -> Architecture.of(config).isTied(known)).orElse(true);
  }

  private static Optional<String> modelType(MergeInput input) {
    return input.checkpoint().config().flatMap(config -> config.text("model_type"));
  }
}
