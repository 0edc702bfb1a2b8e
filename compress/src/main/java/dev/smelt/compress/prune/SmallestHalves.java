package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.Piece;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.List;

/**
 * What {@link Smallest} does, of tensors of one type of two-byte floats by their magnitudes: these
 * are so few that all are counted at once.
 */
final class SmallestHalves {

  private SmallestHalves() {}

  /**
   * @param count how many go, of all tensors together
   * @return a mask for each tensor
   * @throws NonFiniteException when a weight is no finite number
   */
  static List<Mask> mark(List<Layer> layers, long count, int threads, Scratch scratch) {
    List<HalfCounts> tensors =
        layers.stream().map(layer -> new HalfCounts(layer, scratch)).toList();
    Workers.run(
        threads,
        Piece.of(layers.stream().map(Layer::elements).toList()).stream()
            .map(
                piece ->
                    (Workers.Job)
                        () -> tensors.get(piece.tensor()).add(piece.first(), piece.count()))
            .toList());
    tensors.forEach(HalfCounts::requireFinite);
    int limit = 0;
    long left = count;
    for (long here = all(tensors, limit); left > 0 && here <= left; here = all(tensors, limit)) {
      left -= here;
      limit++;
    }
    List<Mask> masks = new ArrayList<>();
    for (HalfCounts tensor : tensors) {
      long ties = Math.min(left, tensor.of(limit));
      masks.add(tensor.below(limit, ties));
      left -= ties;
    }
    return masks;
  }

  private static long all(List<HalfCounts> tensors, int magnitude) {
    return tensors.stream().mapToLong(tensor -> tensor.of(magnitude)).sum();
  }
}
