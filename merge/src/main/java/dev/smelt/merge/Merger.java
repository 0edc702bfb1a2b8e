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
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MergeMethod.Arithmetic;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import dev.smelt.merge.method.MergeMethod.Prepared;
import dev.smelt.merge.method.MergeMethod.Survey;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.plan.MergePlan.Cause;
import dev.smelt.merge.plan.MergePlan.Copied;
import dev.smelt.merge.plan.MergePlan.Merged;
import dev.smelt.merge.plan.MergePlan.Planned;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;

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
  private final Supplier<LinearAlgebra> algebra;
  private final int chunk;
  private final long part;

  /**
   * @param algebra opens a workspace, for methods that need one
   */
  public Merger(
      MergePlan plan, boolean allowNonFinite, int threads, Supplier<LinearAlgebra> algebra) {
    this(plan, allowNonFinite, threads, algebra, CHUNK, PART);
  }

  /** With other sizes of chunks and parts, which change nothing in the result. */
  Merger(
      MergePlan plan,
      boolean allowNonFinite,
      int threads,
      Supplier<LinearAlgebra> algebra,
      int chunk,
      long part) {
    if (chunk % WHOLE_BYTES != 0 || part % WHOLE_BYTES != 0) {
      throw new IllegalArgumentException("not multiples of 8: " + chunk + ", " + part);
    }
    this.plan = plan;
    this.allowNonFinite = allowNonFinite;
    this.threads = threads;
    this.algebra = algebra;
    this.chunk = chunk;
    this.part = part;
  }

  /** What the output holds, in the first model's order. */
  public static List<TensorInfo> outputs(MergePlan plan) {
    return plan.tensors().stream().map(Planned::output).toList();
  }

  /**
   * Looks at what the methods have to know of all tensors, each method once.
   *
   * @return by method, in the order of the tensors
   * @throws NonFiniteException when Fisher information is no finite number
   */
  public Map<MergeMethod, Prepared> prepare() {
    Map<MergeMethod, Prepared> prepared = new LinkedHashMap<>();
    PlanContext context = new PlanContext(plan, threads, algebra);
    for (Merged tensor : plan.merged()) {
      prepared.computeIfAbsent(
          tensor.method(), method -> method.prepare(context.of(tensor.operands())));
    }
    return prepared;
  }

  /**
   * Fills every slot of the writer.
   *
   * @param prepared what {@link #prepare} found
   * @throws NonFiniteException when an input holds a NaN or infinity and that is not allowed, or
   *     when Fisher information does
   * @throws LimitException when a merged value is beyond the type it is written as
   * @throws MismatchException when a tensor that must be equal in all models is not
   */
  public void run(Map<MergeMethod, Prepared> prepared, CheckpointWriter writer, Progress progress) {
    long elements = outputs(plan).stream().mapToLong(TensorInfo::elements).sum();
    try (Progress.Task task = progress.begin("merging", elements, "parameters")) {
      for (List<Planned> group : together(prepared)) {
        run(group, kernels(group, prepared), writer, task);
      }
    }
  }

  /**
   * Tensors in groups that the system still has in memory when they are merged; those alone whose
   * kernels are large.
   */
  private List<List<Planned>> together(Map<MergeMethod, Prepared> prepared) {
    List<List<Planned>> groups = new ArrayList<>();
    List<Planned> group = new ArrayList<>();
    long bytes = 0;
    for (Planned planned : plan.tensors()) {
      boolean alone =
          planned instanceof Merged tensor
              && arithmetic(tensor, prepared) instanceof Arithmetic.OfMatrices;
      if (!group.isEmpty() && (alone || bytes >= GROUP * part)) {
        groups.add(group);
        group = new ArrayList<>();
        bytes = 0;
      }
      group.add(planned);
      bytes += alone ? GROUP * part : inputBytes(planned);
    }
    groups.add(group);
    return groups;
  }

  private static long inputBytes(Planned planned) {
    return planned instanceof Merged tensor
        ? tensor.operands().theta().stream().mapToLong(one -> one.view().info().bytes()).sum()
        : 0;
  }

  private static Arithmetic arithmetic(Merged tensor, Map<MergeMethod, Prepared> prepared) {
    return Objects.requireNonNull(prepared.get(tensor.method())).arithmetic();
  }

  /** By the name of the output. */
  private Map<String, ChunkKernel> kernels(
      List<Planned> group, Map<MergeMethod, Prepared> prepared) {
    List<Merged> tensors =
        group.stream().filter(Merged.class::isInstance).map(Merged.class::cast).toList();
    List<ChunkKernel> found =
        Workers.map(
            threads,
            tensors,
            tensor ->
                switch (arithmetic(tensor, prepared)) {
                  case Arithmetic.OfElements(ChunkKernel kernel) -> kernel;
                  case Arithmetic.OfTensors(Survey survey) -> survey.kernel(tensor.operands());
                  case Arithmetic.OfMatrices(Survey survey) -> survey.kernel(tensor.operands());
                });
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
      Map<String, ChunkKernel> kernels,
      CheckpointWriter writer,
      Progress.Task task) {
    List<Workers.Job> jobs = new ArrayList<>();
    for (Planned planned : tensors) {
      String name = planned.output().name();
      TensorSlot slot = writer.slot(name);
      switch (planned) {
        case Merged tensor ->
            addParts(
                Objects.requireNonNull(kernels.get(name), name),
                tensor.operands(),
                slot,
                task,
                jobs);
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
      Operands tensor,
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
      ChunkKernel kernel, Operands tensor, TensorSlot slot, long from, long elements) {
    int length = (int) Math.min(chunk, elements);
    PartMerger merger = new PartMerger(kernel, tensor, allowNonFinite, length);
    for (long at = from; at < from + elements; at += length) {
      int count = (int) Math.min(length, from + elements - at);
      slot.write(at, merger.merge(at, count), count);
    }
  }

  private void copy(Copied tensor, TensorSlot slot) {
    for (Operand other : tensor.others()) {
      requireEqual(tensor, other);
    }
    // Masks hold infinities by design.
    if (tensor.cause() == Cause.UNSHARED_HEAD && !allowNonFinite) {
      Optional<Long> index = tensor.source().view().firstNonFinite();
      if (index.isPresent()) {
        throw PartMerger.nonFinite(tensor.source(), "found a NaN or an infinity", index.get());
      }
    }
    slot.transfer(tensor.source().view());
  }

  private void requireEqual(Copied tensor, Operand other) {
    TensorView source = tensor.source().view();
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

  private MismatchException unequal(Copied tensor, Operand other, long index) {
    return unequal(tensor, other, "they differ at index " + index);
  }

  private MismatchException unequal(Copied tensor, Operand other, String found) {
    return new MismatchException(
        "tensor that should be equal in all models",
        other.where(),
        "as in " + tensor.source().where() + ": " + found,
        "merge models that share it");
  }
}
