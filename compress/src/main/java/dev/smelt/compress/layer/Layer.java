package dev.smelt.compress.layer;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A matrix that may be factorised, seen as W ∈ R^{out×in} whatever its orientation on disk.
 *
 * @param checkpoint where it was opened from
 *     <p>A convolution [out, in, kh, kw] is the matrix [out, in·kh·kw] with the same elements.
 * @param module name of its tensor without {@code .weight}, and that of the part behind it
 * @param transposed true when it is stored [in, out], as GPT-2's Conv1D does
 * @param part which rows of the stored matrix it is, where it is not all of them
 */
public record Layer(
    Path checkpoint,
    String module,
    TensorView weight,
    boolean transposed,
    Optional<FusedPart> part) {

  public static final String WEIGHT = ".weight";

  /** [out, in, kh, kw]. */
  static final int CONVOLUTION_AXES = 4;

  /** Matrices with fewer elements are computed with in f64 always. */
  private static final long SMALL = 1 << 18;

  public int out() {
    return part.map(one -> one.rows().size()).orElse(storedOut());
  }

  /** Rows of the matrix that this is, or is a part of. */
  public int storedOut() {
    return Math.toIntExact(weight.shape().size(transposed ? 1 : 0));
  }

  public int in() {
    return Math.toIntExact(weight.elements() / storedOut());
  }

  /** Elements of W. */
  public long elements() {
    return (long) out() * in();
  }

  /** The whole matrix, if this is a part of it. */
  public String whole() {
    return weight.name().substring(0, weight.name().length() - WEIGHT.length());
  }

  private boolean isConvolution() {
    return weight.shape().rank() == CONVOLUTION_AXES;
  }

  /** Which of those rows it has, ascending. */
  public int[] outputs() {
    return part.map(one -> one.rows().indices())
        .orElseGet(() -> IntStream.range(0, storedOut()).toArray());
  }

  /** How A is stored. */
  public Shape shapeOfA(int rank) {
    return isConvolution() ? Shape.of(out(), rank, 1, 1) : Shape.of(out(), rank);
  }

  /** How B is stored. */
  public Shape shapeOfB(int rank) {
    Shape shape = weight.shape();
    return isConvolution()
        ? Shape.of(rank, shape.size(1), shape.size(2), shape.size(3))
        : Shape.of(rank, in());
  }

  /** The largest rank its factors can have. */
  public int fullRank() {
    return Math.min(out(), in());
  }

  /** The largest rank at which factors have fewer elements than the matrix; 0 if there is none. */
  public int breakEven() {
    long limit = (elements() - 1) / ((long) out() + in());
    return (int) Math.min(limit, fullRank());
  }

  /** Elements of two factors of this rank. */
  public long factorElements(int rank) {
    return (long) rank * (out() + in());
  }

  /** True when factors of this rank have fewer elements than the matrix itself. */
  public boolean isSmallerAt(int rank) {
    return factorElements(rank) < elements();
  }

  /** The least precision that holds every value; f64 as well where that costs nothing. */
  public Precision precision() {
    return weight.dtype() == DType.F64 || weight.elements() < SMALL ? Precision.F64 : Precision.F32;
  }

  /** As {@link #load(LinearAlgebra, Precision)}, in the layer's own precision. */
  public Matrix load(LinearAlgebra algebra) {
    return load(algebra, precision());
  }

  /**
   * W on the device, out×in.
   *
   * @throws NonFiniteException when it holds a NaN or an infinity
   */
  public Matrix load(LinearAlgebra algebra, Precision precision) {
    requireFinite();
    if (part.isPresent()) {
      return algebra.convert(algebra.matrix(out(), in(), toDoubles()), precision);
    }
    return algebra.load(asMatrix(weight), precision, transposed);
  }

  /** A convolution's kernels, row by row. */
  public static TensorView asMatrix(TensorView stored) {
    if (stored.shape().isMatrix()) {
      return stored;
    }
    long rows = stored.shape().size(0);
    Shape flat = Shape.of(rows, stored.elements() / rows);
    return new TensorView(new TensorInfo(stored.name(), stored.dtype(), flat), stored.segment());
  }

  /**
   * @throws NonFiniteException when the tensor holds a NaN or an infinity
   */
  public void requireFinite() {
    weight
        .firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "non-finite value",
                  checkpoint + "|" + weight.name(),
                  "found a NaN or an infinity at index " + index,
                  "repair the model or pass --exclude " + module);
            });
  }

  /** W, row-major. */
  public double[] toDoubles() {
    return select(weight.toDoubles(), storedOut(), outputs());
  }

  private double[] select(double[] stored, int storedOut, int[] rows) {
    int in = in();
    double[] selected = new double[rows.length * in];
    for (int i = 0; i < rows.length; i++) {
      for (int k = 0; k < in; k++) {
        int at = transposed ? k * storedOut + rows[i] : rows[i] * in + k;
        selected[i * in + k] = stored[at];
      }
    }
    return selected;
  }
}
