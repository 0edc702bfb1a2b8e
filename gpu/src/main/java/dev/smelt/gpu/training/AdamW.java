package dev.smelt.gpu.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * AdamW on leaves that require gradients. With g the gradient, t the step from 1 on:
 *
 * <pre>
 *   m ← β₁ m + (1 − β₁) g
 *   v ← β₂ v + (1 − β₂) g ⊙ g
 *   θ ← (1 − ηλ) θ − η · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
 * </pre>
 *
 * <p>m and v are f32 and begin at 0. Everything is in place. Zeros are held, where {@link
 * TuneOptions#holdsZeros} asks for it, by gradients that are 0 there: then m and v stay 0, and θ =
 * 0 is what the update gives. The norm that is clipped is of the other gradients.
 */
final class AdamW implements AutoCloseable {

  /**
   * A leaf with its running means.
   *
   * @param free where it may change, if not everywhere
   */
  private record Trained(NDArray leaf, NDArray mean, NDArray square, Optional<NDArray> free) {}

  private final NDManager scope;
  private final ScriptFunctions functions;
  private final TuneOptions options;
  private final List<Trained> trained = new ArrayList<>();
  private int steps;

  /**
   * @param scope owned from now on
   */
  AdamW(NDManager scope, ScriptFunctions functions, List<NDArray> leaves, TuneOptions options) {
    this.scope = scope;
    this.functions = functions;
    this.options = options;
    for (NDArray leaf : leaves) {
      Shape shape = leaf.getShape();
      trained.add(
          new Trained(
              leaf,
              scope.zeros(shape, DataType.FLOAT32),
              scope.zeros(shape, DataType.FLOAT32),
              options.holdsZeros() ? Optional.of(notZero(leaf)) : Optional.empty()));
    }
  }

  private NDArray notZero(NDArray leaf) {
    return functions.call(scope, "not_zero", leaf);
  }

  /**
   * One step along the gradients that the leaves have, which are cleared.
   *
   * @param temporary owns what is made on the way
   * @return the norm of all gradients together, before it was clipped
   */
  double step(NDManager temporary) {
    holdZeros(temporary);
    double norm = norm(temporary);
    steps++;
    double rate = options.learningRate(steps - 1);
    double[] numbers = {
      norm > options.clip() ? options.clip() / norm : 1,
      options.beta1(),
      1 - options.beta1(),
      options.beta2(),
      1 - options.beta2(),
      Math.sqrt(1 - Math.pow(options.beta2(), steps)),
      options.epsilon(),
      1 - rate * options.weightDecay(),
      -rate / (1 - Math.pow(options.beta1(), steps))
    };
    NDArray scalars = temporary.create(numbers);
    for (Trained one : trained) {
      try (NDManager passing = temporary.newSubManager()) {
        NDArray gradient = one.leaf().getGradient();
        gradient.attach(passing);
        functions.call(passing, "adamw", one.leaf(), gradient, one.mean(), one.square(), scalars);
      }
      Autograd.clear(one.leaf());
    }
    return norm;
  }

  private void holdZeros(NDManager temporary) {
    for (Trained one : trained) {
      if (one.free().isPresent()) {
        try (NDManager passing = temporary.newSubManager()) {
          NDArray gradient = one.leaf().getGradient();
          gradient.attach(passing);
          functions.call(passing, "multiply_in_place", gradient, one.free().get());
        }
      }
    }
  }

  private double norm(NDManager temporary) {
    NDArray sum = temporary.zeros(new Shape(1), DataType.FLOAT64);
    for (Trained one : trained) {
      try (NDManager passing = temporary.newSubManager()) {
        NDArray gradient = one.leaf().getGradient();
        gradient.attach(passing);
        functions.call(passing, "add_sum_of_squares", sum, gradient);
      }
    }
    return Math.sqrt(sum.toDoubleArray()[0]);
  }

  @Override
  public void close() {
    scope.close();
  }
}
