package dev.smelt.compress.layer;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.work.Workers;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BinaryOperator;
import java.util.function.Function;

/**
 * Writes tensors in pieces, each a job of its own. What is written, and what is said of it, does
 * not depend on the number of threads.
 *
 * @param task that counts elements
 */
public record PiecewiseWriter(CheckpointWriter writer, int threads, Progress.Task task) {

  /**
   * Tensors that change.
   *
   * @param write a piece of one of them, and says what was done to it
   * @param sum of what was done to two stretches, the first of which comes before the other
   * @return what was done, by tensor
   */
  public <R> Map<String, R> write(
      List<TensorView> tensors, Function<Piece, R> write, BinaryOperator<R> sum) {
    List<Piece> pieces = Piece.of(tensors.stream().map(TensorView::elements).toList());
    List<R> found =
        Workers.map(
            threads,
            pieces,
            piece -> {
              R done = write.apply(piece);
              task.advance(piece.count());
              return done;
            });
    Map<String, R> all = new HashMap<>();
    for (int i = 0; i < found.size(); i++) {
      all.merge(tensors.get(pieces.get(i).tensor()).name(), found.get(i), sum);
    }
    return all;
  }

  /** Tensors that stay, but perhaps for their type. */
  public void copy(List<TensorView> tensors) {
    Workers.run(
        threads,
        tensors.stream()
            .map(
                tensor ->
                    (Workers.Job)
                        () -> {
                          writer.slot(tensor.name()).transfer(tensor);
                          task.advance(tensor.elements());
                        })
            .toList());
  }
}
