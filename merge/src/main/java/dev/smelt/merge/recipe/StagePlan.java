package dev.smelt.merge.recipe;

import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergePlan;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a stage will write.
 *
 * @param donor whose config and side files the output gets
 * @param config of the output
 * @param models all of them, the donor's first
 * @param values of the parameters of each method
 */
public record StagePlan(
    MergePlan plan,
    MergeInput donor,
    Optional<ModelConfig> config,
    List<MergeInput> models,
    Map<MergeMethod, Map<String, List<Double>>> values) {

  public StagePlan {
    models = List.copyOf(models);
    values = Collections.unmodifiableMap(new HashMap<>(values));
  }

  public List<TensorInfo> outputs() {
    return plan.tensors().stream().map(MergePlan.Planned::output).toList();
  }
}
