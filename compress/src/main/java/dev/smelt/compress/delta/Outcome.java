package dev.smelt.compress.delta;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.lowrank.Route;
import dev.smelt.formats.TensorView;
import java.util.Optional;

/** What became of a tensor of the fine-tuned model. */
sealed interface Outcome {

  TensorView tuned();

  /** Settled without arithmetic. */
  record Planned(DeltaPlan.Planned plan) implements Outcome {
    @Override
    public TensorView tuned() {
      return plan.tuned();
    }
  }

  /**
   * A matrix as factors, as PEFT lays them out.
   *
   * @param a [r, in]; of a table [r, V]
   * @param b [out, r]; of a table [d, r]
   * @param certificate of Δ
   * @param relativeToTensor ‖Δ − BA‖ / ‖W‖
   * @param route of the decomposition
   * @param shrinkage of Gram matrices in the metric
   * @param remark something the user should know of the metric, if there is
   */
  record Factored(
      ChangedMatrix matrix,
      int rank,
      TensorView a,
      TensorView b,
      Certificate certificate,
      double relativeToTensor,
      Route route,
      double shrinkage,
      Optional<String> remark)
      implements Outcome {

    @Override
    public TensorView tuned() {
      return matrix.tuned();
    }
  }
}
