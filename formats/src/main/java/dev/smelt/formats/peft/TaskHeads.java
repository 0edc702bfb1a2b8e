package dev.smelt.formats.peft;

import dev.smelt.formats.ModelConfig;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** What PEFT calls the task of a model, and which modules it keeps in full for it unasked. */
public final class TaskHeads {

  /** End of the class that {@code architectures} names → {@code task_type}. */
  private static final Map<String, String> TASKS =
      Map.of(
          "ForCausalLM", "CAUSAL_LM",
          "LMHeadModel", "CAUSAL_LM",
          "ForConditionalGeneration", "SEQ_2_SEQ_LM",
          "ForSequenceClassification", "SEQ_CLS",
          "ForTokenClassification", "TOKEN_CLS",
          "ForQuestionAnswering", "QUESTION_ANS");

  private static final Set<String> CLASSIFIERS = Set.of("classifier", "score");

  private static final Map<String, Set<String>> SAVED =
      Map.of(
          "SEQ_CLS", CLASSIFIERS,
          "TOKEN_CLS", CLASSIFIERS,
          "QUESTION_ANS", Set.of("qa_outputs"));

  private TaskHeads() {}

  /** {@code task_type}; none of models that are no task of PEFT's. */
  public static Optional<String> task(Optional<ModelConfig> config) {
    return config.stream()
        .flatMap(known -> known.architectures().stream())
        .flatMap(name -> task(name))
        .findFirst();
  }

  private static Stream<String> task(String architecture) {
    return TASKS.entrySet().stream()
        .filter(entry -> architecture.endsWith(entry.getKey()))
        .map(Map.Entry::getValue);
  }

  /** First parts of the bare names of modules that PEFT saves, and on loading insists on. */
  public static Set<String> savedBy(Optional<String> task) {
    return task.map(name -> SAVED.getOrDefault(name, Set.of())).orElse(Set.of());
  }
}
