package dev.smelt.merge;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.method.MergeMethod.Context;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import dev.smelt.merge.plan.MergePlan;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** What methods may ask about a whole plan; asked by one thread. */
final class PlanContext {

  private final MergePlan plan;
  private final int threads;
  private final Supplier<LinearAlgebra> algebra;
  private final Map<Path, Double> norms = new HashMap<>();

  PlanContext(MergePlan plan, int threads, Supplier<LinearAlgebra> algebra) {
    this.plan = plan;
    this.threads = threads;
    this.algebra = algebra;
  }

  /** For tensors that are merged from the same models as this one. */
  Context of(Operands tensor) {
    return new Context() {
      @Override
      public int models() {
        return tensor.theta().size();
      }

      @Override
      public double fisherNorm(int model) {
        return norms.computeIfAbsent(tensor.fisher().get(model).origin(), PlanContext.this::norm);
      }

      @Override
      public LinearAlgebra algebra() {
        return algebra.get();
      }
    };
  }

  /** Of all that is merged by this file, in the order of the plan. */
  private double norm(Path file) {
    List<Operand> all =
        plan.merged().stream().flatMap(tensor -> of(file, tensor.operands()).stream()).toList();
    return FisherNorm.of(all, threads);
  }

  /** Once, though two of the models may have the same statistics. */
  private static Optional<Operand> of(Path file, Operands tensor) {
    return tensor.fisher().stream().filter(one -> one.origin().equals(file)).findFirst();
  }
}
