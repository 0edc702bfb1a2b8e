package dev.smelt.gpu.statistics;

import dev.smelt.formats.TensorInfo;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * Diagonal Fisher information of a network's parameters.
 *
 * @param diagonal for each parameter, F in f32, row-major in the shape of the checkpoint's tensor;
 *     in the order of the forward pass
 * @param examples N, over which F is the mean
 * @param tokens input tokens, padding not counted
 * @param seconds wall-clock time
 */
public record Fisher(
    SequencedMap<TensorInfo, float[]> diagonal, long examples, long tokens, double seconds) {

  public Fisher {
    diagonal = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(diagonal));
  }
}
