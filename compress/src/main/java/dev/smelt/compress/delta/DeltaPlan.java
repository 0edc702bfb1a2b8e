package dev.smelt.compress.delta;

import dev.smelt.formats.TensorView;
import java.util.List;
import java.util.Optional;

/**
 * What becomes of every tensor of a fine-tuned model, before anything is decomposed.
 *
 * @param tensors in the model's order
 * @param notes what only the base has
 */
record DeltaPlan(List<Planned> tensors, List<String> notes) {

  DeltaPlan {
    tensors = List.copyOf(tensors);
    notes = List.copyOf(notes);
  }

  /** What becomes of a tensor. */
  sealed interface Planned {

    TensorView tuned();

    /** As in the base, bit for bit or value for value. */
    record Unchanged(TensorView tuned, Optional<String> reason) implements Planned {}

    /** To be decomposed. */
    record Changed(ChangedMatrix matrix) implements Planned {
      @Override
      public TensorView tuned() {
        return matrix.tuned();
      }
    }

    /** To be kept in full. */
    record Whole(TensorView tuned, String reason) implements Planned {}

    /**
     * Left as in the base, though it differs.
     *
     * @param start the base's
     * @param error ‖W − W_base‖ / ‖W‖; none where the base has no such tensor
     */
    record LeftOut(
        TensorView tuned, Optional<TensorView> start, String reason, Optional<Double> error)
        implements Planned {}
  }
}
