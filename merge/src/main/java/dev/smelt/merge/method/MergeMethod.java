package dev.smelt.merge.method;

import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.Map;

/**
 * One way of combining the same tensor of several models, with its parameters. Methods that are
 * equal do the same.
 */
public interface MergeMethod {

  MethodDescription description();

  /**
   * Looks at what has to be known of all that is to be merged.
   *
   * @throws dev.smelt.formats.UsageException when the parameters do not fit the number of models
   */
  Prepared prepare(Context context);

  /** What becomes of tensors without a Gram matrix, where the method needs one. */
  default MergeMethod withoutGram() {
    return this;
  }

  /** What a method may ask about all tensors together. */
  interface Context {

    /** How many models there are, the base among them. */
    int models();

    /** ‖F‖₂ of a model, over all parameters that are merged by Fisher information. */
    double fisherNorm(int model);

    /** A new workspace, to be closed. */
    LinearAlgebra algebra();
  }

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

    /**
     * As {@link OfTensors}, one tensor at a time, whose kernel may keep a result as large as it.
     */
    record OfMatrices(Survey survey) implements Arithmetic {}
  }

  /** Looks at a tensor in all models. Called by several threads at once. */
  @FunctionalInterface
  interface Survey {

    /** What it finds is kept in the kernel, which should be small beside the tensor. */
    ChunkKernel kernel(Operands tensor);
  }

  /** The arithmetic of one chunk of one tensor. Called by several threads at once. */
  @FunctionalInterface
  interface ChunkKernel {

    /**
     * @param merged the result, {@code merged[0 … chunk.count()-1]}
     */
    void merge(Chunk chunk, double[] merged);
  }

  /** A kernel that is faster on values that f32 has exactly. */
  interface NarrowKernel extends ChunkKernel {

    /**
     * As {@link #merge(Chunk, double[])}, of finite values. Of others the results are not finite.
     *
     * @param theta {@code theta[i][k]} is element k of operand i
     */
    void merge(float[][] theta, int count, double[] merged);
  }
}
