package dev.smelt.merge;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.work.Workers;
import dev.smelt.merge.MergeMethod.ChunkKernel;
import dev.smelt.merge.MergePlan.Copied;
import dev.smelt.merge.MergePlan.Merged;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Executes a plan: every tensor is cut into parts, each part a job that reads its stretch of every
 * model once, combines it in f64 and rounds once. The result does not depend on the number of
 * threads.
 */
public final class Merger {

  /** Elements combined at a time: a handful of f64 arrays of this length fit the L2 cache. */
  private static final int CHUNK = 1 << 14;

  /** Elements per job: large enough to be worth a task, small enough to share out one embedding. */
  private static final long PART = 1 << 22;

  private final MergePlan plan;
  private final boolean allowNonFinite;
  private final int threads;

  public Merger(MergePlan plan, boolean allowNonFinite, int threads) {
    this.plan = plan;
    this.allowNonFinite = allowNonFinite;
    this.threads = threads;
  }

  /** What the output holds, in the first model's order. */
  public static List<TensorInfo> outputs(MergePlan plan) {
    return Stream.concat(
            plan.merged().stream().map(Merged::output),
            plan.copied().stream().map(copied -> copied.source().info()))
        .toList();
  }

  /**
   * Fills every slot of the writer.
   *
   * @throws NonFiniteException when an input holds a NaN or infinity and that is not allowed
   */
  public void run(ChunkKernel kernel, CheckpointWriter writer, Progress progress) {
    long elements = outputs(plan).stream().mapToLong(TensorInfo::elements).sum();
    try (Progress.Task task = progress.begin("merging", elements, "parameters")) {
      List<Workers.Job> jobs = new ArrayList<>();
      for (Merged tensor : plan.merged()) {
        TensorSlot slot = writer.slot(tensor.output().name());
        for (long at = 0; at < tensor.output().elements(); at += PART) {
          long from = at;
          long count = Math.min(PART, tensor.output().elements() - at);
          jobs.add(
              () -> {
                mergePart(kernel, tensor, slot, from, count);
                task.advance(count);
              });
        }
      }
      for (Copied tensor : plan.copied()) {
        jobs.add(
            () -> {
              requireEqual(tensor);
              writer.slot(tensor.source().name()).copy(tensor.source());
              task.advance(tensor.source().elements());
            });
      }
      Workers.run(threads, jobs);
    }
  }

  private void mergePart(
      ChunkKernel kernel, Merged tensor, TensorSlot slot, long from, long elements) {
    int length = (int) Math.min(CHUNK, elements);
    double[][] theta = new double[tensor.theta().size()][length];
    double[][] fisher = new double[tensor.fisher().size()][length];
    double[] merged = new double[length];
    for (long at = from; at < from + elements; at += length) {
      int count = (int) Math.min(length, from + elements - at);
      read(tensor.theta(), at, count, theta);
      read(tensor.fisher(), at, count, fisher);
      if (!allowNonFinite) {
        requireFinite(tensor, theta, at, count);
      }
      kernel.merge(theta, fisher, count, merged);
      slot.write(at, merged, count);
    }
  }

  private static void read(List<TensorView> tensors, long at, int count, double[][] chunks) {
    for (int i = 0; i < chunks.length; i++) {
      tensors.get(i).read(at, count, chunks[i]);
    }
  }

  private static void requireFinite(Merged tensor, double[][] theta, long at, int count) {
    for (int i = 0; i < theta.length; i++) {
      for (int k = 0; k < count; k++) {
        if (!Double.isFinite(theta[i][k])) {
          throw new NonFiniteException(
              "non-finite value",
              tensor.theta().get(i).name(),
              "found " + theta[i][k] + " at index " + (at + k) + " of model " + (i + 1),
              "repair the model or pass --allow-non-finite");
        }
      }
    }
  }

  private static void requireEqual(Copied tensor) {
    for (TensorView other : tensor.others()) {
      if (other.dtype() != tensor.source().dtype()
          || other.segment().mismatch(tensor.source().segment()) >= 0) {
        throw new MismatchException(
            "cannot merge a tensor",
            tensor.source().name(),
            "it is " + tensor.reason() + " in name, but the models differ in it",
            "merge models that share it");
      }
    }
  }
}
