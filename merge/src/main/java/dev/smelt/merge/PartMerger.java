package dev.smelt.merge;

import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import dev.smelt.merge.method.MergeMethod.NarrowKernel;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import java.util.List;
import java.util.Optional;

/** Merges stretches of one tensor, one after another, in buffers of its own. */
final class PartMerger {

  private final ChunkKernel kernel;
  private final Operands tensor;
  private final boolean allowNonFinite;
  private final Optional<NarrowKernel> narrow;
  private final int length;
  private final double[] merged;
  private float[][] narrowTheta = {};
  private double[][] theta = {};
  private double[][] fisher = {};

  /**
   * @param length of the longest stretch
   */
  PartMerger(ChunkKernel kernel, Operands tensor, boolean allowNonFinite, int length) {
    this.kernel = kernel;
    this.tensor = tensor;
    this.allowNonFinite = allowNonFinite;
    this.length = length;
    this.merged = new double[length];
    this.narrow =
        kernel instanceof NarrowKernel fast && isNarrow(tensor)
            ? Optional.of(fast)
            : Optional.empty();
  }

  private static boolean isNarrow(Operands tensor) {
    return tensor.theta().stream().noneMatch(one -> one.view().dtype() == DType.F64);
  }

  /**
   * @return the merged elements, until the next call
   */
  double[] merge(long at, int count) {
    if (narrow.isPresent()) {
      mergeNarrow(narrow.get(), at, count);
      if (isFinite(count)) {
        return merged;
      }
    }
    mergeWide(at, count);
    return merged;
  }

  private void mergeNarrow(NarrowKernel fast, long at, int count) {
    if (narrowTheta.length == 0) {
      narrowTheta = new float[tensor.theta().size()][length];
    }
    for (int i = 0; i < narrowTheta.length; i++) {
      tensor.theta().get(i).view().read(at, count, narrowTheta[i]);
    }
    fast.merge(narrowTheta, count, merged);
  }

  private boolean isFinite(int count) {
    double largest = 0;
    for (int k = 0; k < count; k++) {
      // NaN stays NaN.
      largest = Math.max(largest, Math.abs(merged[k]));
    }
    return largest <= Double.MAX_VALUE;
  }

  private void mergeWide(long at, int count) {
    if (theta.length == 0) {
      theta = new double[tensor.theta().size()][length];
      fisher = new double[tensor.fisher().size()][length];
    }
    read(tensor.theta(), at, count, theta);
    read(tensor.fisher(), at, count, fisher);
    for (int i = 0; i < fisher.length; i++) {
      FisherNorm.requireValid(tensor.fisher().get(i), fisher[i], at, count);
    }
    if (!allowNonFinite) {
      requireFinite(at, count);
    }
    kernel.merge(new Chunk(theta, fisher, at, count), merged);
    if (!allowNonFinite) {
      requireInRange(at, count);
    }
  }

  private static void read(List<Operand> tensors, long at, int count, double[][] chunks) {
    for (int i = 0; i < chunks.length; i++) {
      tensors.get(i).view().read(at, count, chunks[i]);
    }
  }

  private void requireFinite(long at, int count) {
    for (int i = 0; i < theta.length; i++) {
      for (int k = 0; k < count; k++) {
        if (!Double.isFinite(theta[i][k])) {
          throw nonFinite(tensor.theta().get(i), "found " + theta[i][k], at + k);
        }
      }
    }
  }

  static NonFiniteException nonFinite(Operand tensor, String found, long index) {
    return new NonFiniteException(
        "non-finite value",
        tensor.where(),
        found + " at index " + index,
        "repair the model or pass --allow-non-finite");
  }

  private void requireInRange(long at, int count) {
    for (int k = 0; k < count; k++) {
      if (!Double.isFinite(merged[k])) {
        throw new LimitException(
            "merged value out of range",
            tensor.output().name(),
            "found " + merged[k] + " at index " + (at + k) + " from finite values",
            "look for extreme values in the models and their statistics");
      }
    }
  }
}
