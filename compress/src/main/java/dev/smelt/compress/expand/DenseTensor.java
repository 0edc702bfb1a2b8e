package dev.smelt.compress.expand;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.OptionalInt;

/** A tensor of the dense model that a checkpoint stands for. */
public sealed interface DenseTensor {

  /** Name, type and shape of the dense tensor. */
  TensorInfo info();

  /** Bytes that the checkpoint spends on it. */
  long storedBytes();

  /** Elements that the checkpoint spends on it. */
  long storedElements();

  /** Rank of its factors, where it is stored as factors. */
  OptionalInt rank();

  /** A tensor stored as it is, perhaps under another name. */
  record Stored(String name, TensorView view) implements DenseTensor {

    @Override
    public TensorInfo info() {
      return new TensorInfo(name, view.dtype(), view.shape());
    }

    @Override
    public long storedBytes() {
      return view.info().bytes();
    }

    @Override
    public long storedElements() {
      return view.elements();
    }

    @Override
    public OptionalInt rank() {
      return OptionalInt.empty();
    }
  }

  /**
   * A matrix stored as factors, W = A·B.
   *
   * @param a [out, r]
   * @param b [r, in]
   * @param transposed true when the dense matrix is stored [in, out]
   */
  record Product(String name, TensorView a, TensorView b, boolean transposed)
      implements DenseTensor {

    @Override
    public TensorInfo info() {
      long out = a.shape().size(0);
      long in = b.shape().size(1);
      DType dtype = a.dtype();
      return new TensorInfo(name, dtype, transposed ? Shape.of(in, out) : Shape.of(out, in));
    }

    @Override
    public long storedBytes() {
      return a.info().bytes() + b.info().bytes();
    }

    @Override
    public long storedElements() {
      return a.elements() + b.elements();
    }

    @Override
    public OptionalInt rank() {
      return OptionalInt.of(Math.toIntExact(a.shape().size(1)));
    }

    /**
     * The dense matrix in f64, row-major in its own orientation.
     *
     * @throws NonFiniteException when a factor holds a NaN or an infinity
     */
    public double[] multiply(ComputeDevice device) {
      try (LinearAlgebra algebra = device.linearAlgebra()) {
        Matrix product = algebra.multiply(load(algebra, a), load(algebra, b));
        return (transposed ? algebra.transpose(product) : product).toDoubles();
      }
    }

    private static Matrix load(LinearAlgebra algebra, TensorView factor) {
      factor
          .firstNonFinite()
          .ifPresent(
              index -> {
                throw new NonFiniteException(
                    "non-finite value",
                    factor.name(),
                    "found a NaN or an infinity at index " + index,
                    "repair the factors or make them again");
              });
      return algebra.matrix(
          Math.toIntExact(factor.shape().size(0)),
          Math.toIntExact(factor.shape().size(1)),
          factor.toDoubles());
    }
  }
}
