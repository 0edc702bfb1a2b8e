package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.formats.TensorView;
import java.util.Optional;

/** What became of a layer. */
sealed interface LayerResult {

  Layer layer();

  /**
   * @param a [out, r], as it will be stored
   * @param b [r, in], as it will be stored
   * @param remark something the user should know of the metric, if there is
   */
  record Factorized(
      Layer layer,
      int rank,
      TensorView a,
      TensorView b,
      Certificate certificate,
      Optional<String> remark)
      implements LayerResult {}

  /**
   * @param reason why its factors are not written
   */
  record Dense(Layer layer, String reason) implements LayerResult {}
}
