package dev.smelt.compress.dampen;

import dev.smelt.compress.dampen.Planned.Dampened;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import java.lang.foreign.MemorySegment;

/**
 * Dampens stretches of tensors: θ, F and R are decoded to f64, and the product is rounded once.
 *
 * @param how α and λ
 */
record DampenedTensors(Dampening how) {

  /** Elements at a time: a handful of f64 arrays of this length fit the second-level cache. */
  private static final int PART = 1 << 14;

  /** A whole tensor, rounded to the type of {@code info}. */
  void write(Dampened tensor, TensorInfo info, MemorySegment target) {
    long elements = tensor.source().elements();
    for (long first = 0; first < elements; first += PART) {
      int count = (int) Math.min(PART, elements - first);
      write(tensor, info, first, count, target, first);
    }
  }

  /**
   * Elements {@code first … first+count-1}, rounded to the type of {@code info}, as elements {@code
   * place …} of {@code target}.
   *
   * @throws NonFiniteException when a weight is no number, or F or R is none or negative
   */
  Lowered write(
      Dampened tensor, TensorInfo info, long first, int count, MemorySegment target, long place) {
    TensorEncoder encoder = new TensorEncoder(info);
    int length = Math.min(PART, count);
    double[] weights = new double[length];
    double[] forget = new double[length];
    double[] retain = new double[length];
    Lowered all = Lowered.NONE;
    for (int at = 0; at < count; at += length) {
      int now = Math.min(length, count - at);
      tensor.source().read(first + at, now, weights);
      tensor.forget().read(first + at, now, forget);
      tensor.retain().read(first + at, now, retain);
      requireFinite(tensor.source(), weights, first + at, now);
      requireInformation(tensor.forget(), forget, first + at, now);
      requireInformation(tensor.retain(), retain, first + at, now);
      double[] before = weights.clone();
      long lowered = 0;
      long zeroed = 0;
      for (int i = 0; i < now; i++) {
        double factor = how.factor(forget[i], retain[i]);
        lowered += factor < 1 ? 1 : 0;
        zeroed += factor == 0 ? 1 : 0;
        weights[i] *= factor;
      }
      encoder.encode(weights, now, first + at, target, place + at);
      decode(info, target, place + at, now, weights);
      double squares = 0;
      double changed = 0;
      for (int i = 0; i < now; i++) {
        squares += before[i] * before[i];
        changed += (before[i] - weights[i]) * (before[i] - weights[i]);
      }
      all = all.plus(new Lowered(now, lowered, zeroed, squares, changed));
    }
    return all;
  }

  /** What was written, rounded as it is. */
  private static void decode(
      TensorInfo info, MemorySegment target, long place, int count, double[] values) {
    TensorInfo part = new TensorInfo(info.name(), info.dtype(), Shape.of(count));
    long start = info.dtype().bytes(place);
    new TensorView(part, target.asSlice(start, part.bytes())).read(0, count, values);
  }

  private static void requireFinite(TensorView tensor, double[] values, long first, int count) {
    for (int i = 0; i < count; i++) {
      if (!Double.isFinite(values[i])) {
        throw new NonFiniteException(
            "non-finite value",
            tensor.name(),
            "found " + values[i] + " at index " + (first + i),
            "repair the model, or pass --exclude " + tensor.name());
      }
    }
  }

  private static void requireInformation(
      TensorView tensor, double[] values, long first, int count) {
    for (int i = 0; i < count; i++) {
      if (!(values[i] >= 0) || Double.isInfinite(values[i])) {
        throw new NonFiniteException(
            "invalid Fisher information",
            tensor.name(),
            "expected a finite number >= 0 at index " + (first + i) + ", found " + values[i],
            "compute the statistics again");
      }
    }
  }
}
