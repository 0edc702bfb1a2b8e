package dev.smelt.merge.plan;

import dev.smelt.formats.TensorView;
import dev.smelt.merge.method.MergeMethod;
import java.util.List;

/** With which parameters a tensor is merged. */
@FunctionalInterface
public interface MethodChoice {

  /**
   * @param output its name as written
   * @param theta the tensor of each model, by the names they have there
   */
  MergeMethod of(String output, List<TensorView> theta);
}
