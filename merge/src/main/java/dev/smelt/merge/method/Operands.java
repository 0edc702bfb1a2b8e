package dev.smelt.merge.method;

import dev.smelt.formats.TensorInfo;
import java.util.List;

/**
 * What one tensor is merged from.
 *
 * @param output as it will be written
 * @param transposed whether it is a matrix that is stored [in, out]
 * @param theta the tensor of each model, of one shape; the first is that of the base, if there is
 *     one
 * @param fisher its diagonal Fisher information in each model; empty for methods without
 * @param grams the Gram matrix of its inputs in each model, [in, in]; empty for methods without
 */
public record Operands(
    TensorInfo output,
    boolean transposed,
    List<Operand> theta,
    List<Operand> fisher,
    List<Operand> grams) {

  public Operands {
    theta = List.copyOf(theta);
    fisher = List.copyOf(fisher);
    grams = List.copyOf(grams);
  }
}
