package dev.smelt.gpu.engine;

import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.FactoredTensor;
import dev.smelt.formats.model.FactoredTensor.Piece;
import dev.smelt.formats.model.FactoredTensor.Plain;
import dev.smelt.formats.model.FactoredTensor.Product;
import dev.smelt.formats.model.Slice;

/** Factors multiplied out in f64, and what they change added. */
public final class DenseWeights {

  /** Elements of the dense tensor made at a time where rows can be made one after another. */
  private static final long BLOCK = 1L << 24;

  private DenseWeights() {}

  /** Receives a tensor in parts, row-major in its own orientation. */
  @FunctionalInterface
  public interface Sink {
    void accept(long first, double[] values);
  }

  /**
   * The whole tensor, row-major in its own orientation.
   *
   * @throws NonFiniteException when a factor holds a NaN or an infinity
   * @throws dev.smelt.formats.LimitException when it has more than 2²⁸ − 1 elements
   */
  public static double[] of(FactoredTensor tensor, ComputeDevice device) {
    requireFinite(tensor);
    Operands.requireSize(tensor.out(), tensor.in());
    double[] values = ofPieces(tensor, device);
    addBase(tensor, 0, values);
    return values;
  }

  private static double[] ofPieces(FactoredTensor tensor, ComputeDevice device) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      if (tensor.pieces().getFirst() instanceof Product product && tensor.pieces().size() == 1) {
        Matrix w = algebra.multiply(whole(algebra, product.a()), whole(algebra, product.b()));
        return (tensor.transposed() ? algebra.transpose(w) : w).toDoubles();
      }
      int out = tensor.out();
      int in = Math.toIntExact(tensor.in());
      double[] w = new double[out * in];
      for (Piece piece : tensor.pieces()) {
        put(values(piece, algebra), piece.slice(), w, in);
      }
      return tensor.transposed() ? algebra.transpose(algebra.matrix(out, in, w)).toDoubles() : w;
    }
  }

  /** W_p, row-major. */
  private static double[] values(Piece piece, LinearAlgebra workspace) {
    try (LinearAlgebra algebra = workspace.inner()) {
      return switch (piece) {
        case Plain plain -> plain.matrix().toDoubles();
        case Product p ->
            algebra.multiply(whole(algebra, p.a()), whole(algebra, p.b())).toDoubles();
      };
    }
  }

  /**
   * @param values those rows of W, or columns
   * @param w W, row-major
   */
  private static void put(double[] values, Slice slice, double[] w, int in) {
    int[] indices = slice.indices();
    switch (slice.axis()) {
      case OUTPUT -> {
        for (int i = 0; i < indices.length; i++) {
          System.arraycopy(values, i * in, w, indices[i] * in, in);
        }
      }
      case INPUT -> {
        for (int i = 0; i < values.length; i++) {
          w[i / indices.length * in + indices[i % indices.length]] = values[i];
        }
      }
    }
  }

  /**
   * As {@link #of}, part by part and of any size, where the tensor is a single product that is not
   * stored transposed.
   */
  public static void read(FactoredTensor tensor, ComputeDevice device, Sink sink) {
    read(tensor, device, BLOCK, sink);
  }

  /**
   * @param block elements made at a time, but at least a row
   */
  static void read(FactoredTensor tensor, ComputeDevice device, long block, Sink sink) {
    if (tensor.transposed()
        || tensor.pieces().size() > 1
        || !(tensor.pieces().getFirst() instanceof Product product)) {
      sink.accept(0, of(tensor, device));
      return;
    }
    requireFinite(tensor);
    int rank = product.rank();
    int rows = tensor.out();
    int step = Math.clamp(block / tensor.in(), 1, rows);
    try (LinearAlgebra constant = device.linearAlgebra()) {
      Matrix b = whole(constant, product.b());
      for (int first = 0; first < rows; first += step) {
        int count = Math.min(step, rows - first);
        double[] a = new double[count * rank];
        product.a().read((long) first * rank, a.length, a);
        try (LinearAlgebra algebra = device.linearAlgebra()) {
          Matrix part = algebra.multiply(algebra.matrix(count, rank, a), b);
          double[] values = part.toDoubles();
          addBase(tensor, first * tensor.in(), values);
          sink.accept(first * tensor.in(), values);
        }
      }
    }
  }

  /** Adds that part of W₀. */
  private static void addBase(FactoredTensor tensor, long first, double[] values) {
    if (tensor.base().isEmpty()) {
      return;
    }
    double[] base = new double[values.length];
    tensor.base().get().read(first, base.length, base);
    for (int i = 0; i < values.length; i++) {
      values[i] += base[i];
    }
  }

  private static void requireFinite(FactoredTensor tensor) {
    for (TensorView view : tensor.tensors()) {
      view.firstNonFinite()
          .ifPresent(
              index -> {
                throw new NonFiniteException(
                    "non-finite value",
                    view.name(),
                    "found a NaN or an infinity at index " + index,
                    "repair the factors or make them again");
              });
    }
  }

  /** All axes but the first are columns. */
  private static Matrix whole(LinearAlgebra algebra, TensorView view) {
    int rows = Math.toIntExact(view.shape().size(0));
    return algebra.matrix(rows, Math.toIntExact(view.elements() / rows), view.toDoubles());
  }
}
