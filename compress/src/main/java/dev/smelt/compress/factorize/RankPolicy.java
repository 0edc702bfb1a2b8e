package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import java.util.List;

/** How many singular directions every layer keeps. */
public sealed interface RankPolicy permits UniformKeep, ErrorLimit, TotalKeep, ByteBudget {

  /**
   * The largest rank that may come up for a layer; at most {@link RankGrid#largest}, and 0 only
   * where that is.
   */
  int reach(Layer layer, RankGrid grid);

  /**
   * @param layers with spectra of at least {@link #reach} singular values, all of them where the
   *     policy may ask for them
   * @param otherBytes of all tensors of the output that are not among the layers
   * @return one choice a layer, in order
   */
  List<RankChoice> choose(List<SpectralLayer> layers, RankGrid grid, long otherBytes);

  /** The largest relative error in the metric that what is written may have; infinite for none. */
  default double promisedError() {
    return Double.POSITIVE_INFINITY;
  }
}
