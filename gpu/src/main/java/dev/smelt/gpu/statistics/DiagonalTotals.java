package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Running sums Σₙ gₙ ⊙ gₙ of every parameter. Squares of a batch are summed in f32, batches in f64.
 */
final class DiagonalTotals {

  private final NDManager manager;
  private final ScriptFunctions functions;
  private final long sliceElements;
  private final Map<String, NDArray> totals = new HashMap<>();

  /**
   * @param manager owns the sums
   * @param sliceElements how many elements of per-example gradients are held at a time, if one
   *     example has no more
   */
  DiagonalTotals(NDManager manager, ScriptFunctions functions, long sliceElements) {
    this.manager = manager;
    this.functions = functions;
    this.sliceElements = sliceElements;
  }

  /** Adds the squares of a backward pass. Parameters with several uses add up before squaring. */
  void add(Tape tape) {
    Map<Parameter, List<UsedWith>> byParameter = new LinkedHashMap<>();
    for (Tape.Tap tap : tape.taps()) {
      NDArray delta = tap.delta();
      for (Use use : tap.uses()) {
        byParameter
            .computeIfAbsent(use.parameter(), key -> new ArrayList<>())
            .add(new UsedWith(use, delta));
      }
    }
    byParameter.forEach(this::add);
  }

  private void add(Parameter parameter, List<UsedWith> uses) {
    NDArray total = totals.computeIfAbsent(parameter.name(), name -> zeros(parameter.info()));
    if (uses.size() == 1 && uses.getFirst().use() instanceof Use.Lookup lookup) {
      LookupSquares.add(total, lookup, uses.getFirst().delta(), functions);
      return;
    }
    long examples = uses.getFirst().delta().getShape().get(0);
    long slice = Math.max(1, sliceElements / Math.max(1, parameter.info().elements()));
    for (long first = 0; first < examples; first += slice) {
      long last = Math.min(examples, first + slice);
      try (NDManager temporary = manager.newSubManager()) {
        NDArray squares =
            uses.size() == 1 && uses.getFirst().isOuterProduct()
                ? uses.getFirst().squaresOfOuterProducts(temporary, first, last)
                : gradients(temporary, uses, first, last).square().sum(new int[] {0});
        total.addi(squares.toType(DataType.FLOAT64, false));
      }
    }
  }

  /** gₙ for the examples of a slice: [n, *shape]. */
  private NDArray gradients(NDManager temporary, List<UsedWith> uses, long first, long last) {
    NDArray sum = uses.getFirst().gradients(temporary, functions, first, last);
    for (UsedWith use : uses.subList(1, uses.size())) {
      sum = sum.add(use.gradients(temporary, functions, first, last));
    }
    return sum;
  }

  private NDArray zeros(TensorInfo parameter) {
    return manager.zeros(new Shape(parameter.shape().sizes().toArray()), DataType.FLOAT64);
  }

  /** Σₙ gₙ ⊙ gₙ / N, rounded to f32; zero for a parameter that no example has reached. */
  float[] mean(TensorInfo parameter, long examples) {
    NDArray total = totals.get(parameter.name());
    if (total == null) {
      return new float[Math.toIntExact(parameter.elements())];
    }
    try (NDArray mean = total.div(examples);
        NDArray rounded = mean.toType(DataType.FLOAT32, false)) {
      return rounded.toFloatArray();
    }
  }
}
