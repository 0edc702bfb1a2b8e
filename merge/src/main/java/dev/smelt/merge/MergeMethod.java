package dev.smelt.merge;

import dev.smelt.formats.UsageException;
import java.util.Map;

/** One way of combining the same tensor of several models. */
public sealed interface MergeMethod
    permits LinearMerge, FisherMerge, SlerpMerge, TaskArithmeticMerge {

  MethodDescription description();

  /** True when every model must come with its Fisher information. */
  default boolean usesFisher() {
    return false;
  }

  /** True when the first of the models is what the others are changes of. */
  default boolean usesBase() {
    return false;
  }

  /**
   * Checks the parameters that depend on how many models there are.
   *
   * @param models with the base, if one is used
   * @throws UsageException when they do not fit
   */
  void requireModels(int models);

  /**
   * Looks at what has to be known of all that is to be merged.
   *
   * @throws UsageException when the parameters do not fit the number of models
   */
  Prepared prepare(MergePlan plan, int threads);

  /**
   * A method ready to run.
   *
   * @param parameters as they took effect, for the manifest
   */
  record Prepared(Arithmetic arithmetic, Map<String, Object> parameters) {}

  /** What is computed. */
  sealed interface Arithmetic {

    /** Each element by itself. */
    record OfElements(ChunkKernel kernel) implements Arithmetic {}

    /** By what a tensor is as a whole, which is looked at before it is merged. */
    record OfTensors(Survey survey) implements Arithmetic {}
  }

  /** Looks at a tensor in all models. Called by several threads at once. */
  interface Survey {
    ChunkKernel kernel(MergePlan.Merged tensor);
  }

  /** The arithmetic of one chunk of one tensor, in f64. Called by several threads at once. */
  interface ChunkKernel {

    /**
     * @param theta {@code theta[i][k]} is element k of model i
     * @param fisher likewise the diagonal Fisher information; no rows for methods that do not use
     *     it
     * @param count elements in the chunk
     * @param merged the result, {@code merged[0 … count-1]}
     */
    void merge(double[][] theta, double[][] fisher, int count, double[] merged);
  }
}
