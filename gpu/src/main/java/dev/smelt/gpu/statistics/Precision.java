package dev.smelt.gpu.statistics;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.OptionalDouble;
import java.util.SequencedMap;

/**
 * How sure an estimate is of the sum of each tensor's Fisher information, the mean of ‖gₙ‖² over
 * examples.
 *
 * @param tensors for each parameter the standard error of that mean over the mean itself, from how
 *     it differs from batch to batch; 0 where all gradients are 0
 * @param overall Σ standard errors / Σ means over the tensors: their relative errors weighted by
 *     what they hold. Empty with fewer than two batches
 */
public record Precision(SequencedMap<String, Double> tensors, OptionalDouble overall) {

  public Precision {
    tensors = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tensors));
  }
}
