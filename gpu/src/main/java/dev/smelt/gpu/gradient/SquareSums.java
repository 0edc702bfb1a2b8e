package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;

/**
 * Σₙ gₙ ⊙ gₙ over a batch, in f32: there are too few examples in it to lose digits.
 *
 * @param temporary owns what is made on the way
 */
record SquareSums(ParameterGradients gradients, NDManager temporary) {

  void add(Total total) {
    List<UsedWith> uses = gradients.uses();
    if (uses.size() > 1) {
      total.add(temporary, functions(), squaresOfSums());
      return;
    }
    NDArray delta = uses.getFirst().delta();
    switch (uses.getFirst().use()) {
      case Use.Product product -> total.add(temporary, functions(), ofProducts(product, delta));
      case Use.Shift _ -> add(total, "squares_of_vectors", delta);
      case Use.Scale scale -> add(total, "squares_of_scaled_vectors", delta, scale.x());
      case Use.Whole _ -> {
        NDArray squares = delta.square();
        squares.attach(temporary);
        total.add(temporary, functions(), squares);
      }
      case Use.Lookup lookup -> {
        LookupSums sums = LookupSums.of(temporary, functions(), lookup, delta);
        total.addRows(temporary, functions(), sums.rows(), sums.squares());
      }
    }
  }

  private ScriptFunctions functions() {
    return gradients.functions();
  }

  private void add(Total total, String method, NDArray... arguments) {
    total.add(temporary, functions(), functions().call(temporary, method, arguments));
  }

  private NDArray ofProducts(Use.Product product, NDArray delta) {
    NDArray lengths = gradients.positions().lengths(temporary, delta);
    return switch (product.layout()) {
      case OUT_IN ->
          functions().call(temporary, "squares_of_products", delta, product.x(), lengths);
      case IN_OUT ->
          functions().call(temporary, "squares_of_products", product.x(), delta, lengths);
    };
  }

  /** One example at a time: its gradients by all uses add up in one array. */
  private NDArray squaresOfSums() {
    Shape shape = gradients.storedMatrix();
    NDArray sum = temporary.zeros(shape, DataType.FLOAT32);
    NDArray gradient = temporary.zeros(shape, DataType.FLOAT32);
    long examples = gradients.positions().batch().size();
    for (long n = 0; n < examples; n++) {
      try (NDManager step = temporary.newSubManager()) {
        functions().call(step, "clear", gradient);
        for (UsedWith used : gradients.uses()) {
          addGradient(step, gradient, used, n);
        }
        functions().call(step, "add_square", sum, gradient);
      }
    }
    return sum;
  }

  private void addGradient(NDManager step, NDArray gradient, UsedWith used, long n) {
    NDArray delta = used.delta();
    switch (used.use()) {
      case Use.Product product -> {
        NDArray d = example(step, delta, n);
        NDArray x = example(step, product.x(), n);
        switch (product.layout()) {
          case OUT_IN -> functions().call(step, "add_product", gradient, d, x);
          case IN_OUT -> functions().call(step, "add_product", gradient, x, d);
        }
      }
      case Use.Shift _ -> addVector(step, gradient, example(step, delta, n));
      case Use.Scale scale ->
          addVector(step, gradient, example(step, delta, n).mul(example(step, scale.x(), n)));
      case Use.Lookup lookup -> {
        NDArray d = example(step, delta, n);
        functions().call(step, "index_add_in_place", gradient, rows(step, lookup, d, n), d);
      }
      case Use.Whole _ -> gradient.addi(delta.reshape(gradient.getShape()));
    }
  }

  private static void addVector(NDManager step, NDArray gradient, NDArray positions) {
    NDArray sum = positions.sum(new int[] {0});
    sum.attach(step);
    gradient.addi(sum.reshape(gradient.getShape()));
  }

  private static NDArray rows(NDManager manager, Use.Lookup lookup, NDArray d, long n) {
    int length = Math.toIntExact(d.getShape().get(0));
    long[] rows = new long[length];
    for (int t = 0; t < length; t++) {
      rows[t] = lookup.rows()[Math.toIntExact(n * length) + t];
    }
    return manager.create(rows);
  }

  private static NDArray example(NDManager step, NDArray batch, long n) {
    NDArray one = batch.get(n);
    one.attach(step);
    return one;
  }
}
