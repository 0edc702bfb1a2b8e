package dev.smelt.merge.plan;

import dev.smelt.formats.TensorView;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * What of a model takes part in a merge.
 *
 * @param model its number among all models, counted from 1
 * @param tensors by the names of the output, which may differ from their own
 */
public record PlanPart(MergeInput input, int model, SequencedMap<String, TensorView> tensors) {

  public PlanPart {
    tensors = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tensors));
  }

  /** All of a model. */
  public static PlanPart whole(MergeInput input, int model) {
    SequencedMap<String, TensorView> tensors = new LinkedHashMap<>();
    input.checkpoint().tensors().forEach(view -> tensors.put(view.name(), view));
    return new PlanPart(input, model, tensors);
  }
}
