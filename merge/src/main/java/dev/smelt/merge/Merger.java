package dev.smelt.merge;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.work.Workers;
import dev.smelt.merge.MergeMethod.Arithmetic;
import dev.smelt.merge.MergeMethod.ChunkKernel;
import dev.smelt.merge.MergeMethod.Survey;
import dev.smelt.merge.MergePlan.Cause;
import dev.smelt.merge.MergePlan.Copied;
import dev.smelt.merge.MergePlan.Merged;
import dev.smelt.merge.MergePlan.Other;
import dev.smelt.merge.MergePlan.Planned;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

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

  /** Bytes of all models, in elements of a job, that are looked at before they are merged: 1 GB. */
  private static final long GROUP = 256;

  /** Elements of types narrower than a byte fill whole bytes in steps of this many. */
  private static final int WHOLE_BYTES = 8;

  private final MergePlan plan;
  private final boolean allowNonFinite;
  private final int threads;
  private final int chunk;
  private final long part;

  public Merger(MergePlan plan, boolean allowNonFinite, int threads) {
    this(plan, allowNonFinite, threads, CHUNK, PART);
  }

  /** With other sizes of chunks and parts, which change nothing in the result. */
  Merger(MergePlan plan, boolean allowNonFinite, int threads, int chunk, long part) {
    if (chunk % WHOLE_BYTES != 0 || part % WHOLE_BYTES != 0) {
      throw new IllegalArgumentException("not multiples of 8: " + chunk + ", " + part);
    }
    this.plan = plan;
    this.allowNonFinite = allowNonFinite;
    this.threads = threads;
    this.chunk = chunk;
    this.part = part;
  }

  /** What the output holds, in the first model's order. */
  public static List<TensorInfo> outputs(MergePlan plan) {
    return plan.tensors().stream().map(Planned::output).toList();
  }

  /**
   * Fills every slot of the writer.
   *
   * @throws NonFiniteException when an input holds a NaN or infinity and that is not allowed, or
   *     when Fisher information does
   * @throws LimitException when a merged value is beyond the type it is written as
   * @throws MismatchException when a tensor that must be equal in all models is not
   */
  public void run(Arithmetic arithmetic, CheckpointWriter writer, Progress progress) {
    long elements = outputs(plan).stream().mapToLong(TensorInfo::elements).sum();
    try (Progress.Task task = progress.begin("merging", elements, "parameters")) {
      switch (arithmetic) {
        case Arithmetic.OfElements(ChunkKernel kernel) ->
            run(plan.tensors(), _ -> kernel, writer, task);
        case Arithmetic.OfTensors(Survey survey) -> {
          for (List<Planned> group : together()) {
            Map<String, ChunkKernel> kernels = survey(group, survey);
            run(group, name -> Objects.requireNonNull(kernels.get(name), name), writer, task);
          }
        }
      }
    }
  }

  /** Tensors in groups that the system still has in memory when they are merged. */
  private List<List<Planned>> together() {
    List<List<Planned>> groups = new ArrayList<>();
    List<Planned> group = new ArrayList<>();
    long bytes = 0;
    for (Planned planned : plan.tensors()) {
      group.add(planned);
      if (planned instanceof Merged tensor) {
        bytes += tensor.theta().stream().mapToLong(view -> view.info().bytes()).sum();
      }
      if (bytes >= GROUP * part) {
        groups.add(group);
        group = new ArrayList<>();
        bytes = 0;
      }
    }
    groups.add(group);
    return groups;
  }

  /** By the name of the output. */
  private Map<String, ChunkKernel> survey(List<Planned> group, Survey survey) {
    List<Merged> tensors =
        group.stream().filter(Merged.class::isInstance).map(Merged.class::cast).toList();
    List<ChunkKernel> found = Workers.map(threads, tensors, survey::kernel);
    Map<String, ChunkKernel> kernels = new HashMap<>();
    for (int i = 0; i < found.size(); i++) {
      kernels.put(tensors.get(i).output().name(), found.get(i));
    }
    return kernels;
  }

  /**
   * @param kernels by the name of the output
   */
  private void run(
      List<Planned> tensors,
      Function<String, ChunkKernel> kernels,
      CheckpointWriter writer,
      Progress.Task task) {
    List<Workers.Job> jobs = new ArrayList<>();
    for (Planned planned : tensors) {
      TensorSlot slot = writer.slot(planned.output().name());
      switch (planned) {
        case Merged tensor ->
            addParts(kernels.apply(tensor.output().name()), tensor, slot, task, jobs);
        case Copied tensor ->
            jobs.add(
                () -> {
                  copy(tensor, slot);
                  task.advance(tensor.output().elements());
                });
      }
    }
    Workers.run(threads, jobs);
  }

  private void addParts(
      ChunkKernel kernel,
      Merged tensor,
      TensorSlot slot,
      Progress.Task task,
      List<Workers.Job> jobs) {
    for (long at = 0; at < tensor.output().elements(); at += part) {
      long from = at;
      long count = Math.min(part, tensor.output().elements() - at);
      jobs.add(
          () -> {
            mergePart(kernel, tensor, slot, from, count);
            task.advance(count);
          });
    }
  }

  private void mergePart(
      ChunkKernel kernel, Merged tensor, TensorSlot slot, long from, long elements) {
    int length = (int) Math.min(chunk, elements);
    double[][] theta = new double[tensor.theta().size()][length];
    double[][] fisher = new double[tensor.fisher().size()][length];
    double[] merged = new double[length];
    for (long at = from; at < from + elements; at += length) {
      int count = (int) Math.min(length, from + elements - at);
      read(tensor.theta(), at, count, theta);
      read(tensor.fisher(), at, count, fisher);
      for (int i = 0; i < fisher.length; i++) {
        FisherNorm.requireValid(plan, tensor.fisher().get(i), i, fisher[i], at, count);
      }
      if (!allowNonFinite) {
        requireFinite(tensor, theta, at, count);
      }
      kernel.merge(theta, fisher, count, merged);
      if (!allowNonFinite) {
        requireInRange(tensor, merged, at, count);
      }
      slot.write(at, merged, count);
    }
  }

  private static void read(List<TensorView> tensors, long at, int count, double[][] chunks) {
    for (int i = 0; i < chunks.length; i++) {
      tensors.get(i).read(at, count, chunks[i]);
    }
  }

  private void requireFinite(Merged tensor, double[][] theta, long at, int count) {
    for (int i = 0; i < theta.length; i++) {
      for (int k = 0; k < count; k++) {
        if (!Double.isFinite(theta[i][k])) {
          throw nonFinite(i, tensor.theta().get(i), "found " + theta[i][k], at + k);
        }
      }
    }
  }

  private NonFiniteException nonFinite(int model, TensorView tensor, String found, long index) {
    return new NonFiniteException(
        "non-finite value",
        plan.where(model, tensor),
        found + " at index " + index,
        "repair the model or pass --allow-non-finite");
  }

  private static void requireInRange(Merged tensor, double[] merged, long at, int count) {
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

  private void copy(Copied tensor, TensorSlot slot) {
    for (Other other : tensor.others()) {
      requireEqual(tensor, other);
    }
    // Masks hold infinities by design.
    if (tensor.cause() == Cause.UNSHARED_HEAD && !allowNonFinite) {
      Optional<Long> index = tensor.source().firstNonFinite();
      if (index.isPresent()) {
        throw nonFinite(0, tensor.source(), "found a NaN or an infinity", index.get());
      }
    }
    slot.transfer(tensor.source());
  }

  private void requireEqual(Copied tensor, Other other) {
    TensorView source = tensor.source();
    DType expected = source.dtype();
    DType found = other.view().dtype();
    if (expected == found) {
      long offset = other.view().segment().mismatch(source.segment());
      if (offset >= 0) {
        throw unequal(tensor, other, offset * Byte.SIZE / expected.bits());
      }
    } else if (expected.isFloat() && found.isFloat()) {
      int index = Arrays.mismatch(source.toDoubles(), other.view().toDoubles());
      if (index >= 0) {
        throw unequal(tensor, other, index);
      }
    } else {
      throw unequal(tensor, other, "expected " + expected.label() + ", found " + found.label());
    }
  }

  private MismatchException unequal(Copied tensor, Other other, long index) {
    return unequal(tensor, other, "they differ at index " + index);
  }

  private MismatchException unequal(Copied tensor, Other other, String found) {
    return new MismatchException(
        "tensor that should be equal in all models",
        plan.where(other.model(), other.view()),
        "as in " + plan.where(0, tensor.source()) + ": " + found,
        "merge models that share it");
  }
}
