package dev.smelt.compress.layer;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Slice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A matrix that may be factorised, seen as W ∈ R^{out×in} whatever its orientation on disk.
 *
 * @param checkpoint where it was opened from
 *     <p>A convolution [out, in, kh, kw] is the matrix [out, in·kh·kw] with the same elements.
 * @param module name of its tensor without {@code .weight}, and that of the part behind it
 * @param transposed true when it is stored [in, out], as GPT-2's Conv1D does
 * @param part which rows or columns of the stored matrix it is, where it is not all of them
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
    return size(Axis.OUTPUT);
  }

  /** Rows of the matrix that this is, or is a part of. */
  public int storedOut() {
    return Math.toIntExact(weight.shape().size(transposed ? 1 : 0));
  }

  /** Columns of the matrix that this is, or is a part of. */
  public int storedIn() {
    return Math.toIntExact(weight.elements() / storedOut());
  }

  public int in() {
    return size(Axis.INPUT);
  }

  /** Rows of W, or columns. */
  private int size(Axis axis) {
    return slice(axis).map(Slice::size).orElse(axis == Axis.OUTPUT ? storedOut() : storedIn());
  }

  private Optional<Slice> slice(Axis axis) {
    return part.map(FusedPart::slice).filter(slice -> slice.axis() == axis);
  }

  /** Elements of W. */
  public long elements() {
    return (long) out() * in();
  }

  /** Bytes of W, in the type that it has. */
  public long bytes() {
    return weight.dtype().bytes(elements());
  }

  /** The whole matrix, if this is a part of it. */
  public String whole() {
    return weight.name().substring(0, weight.name().length() - WEIGHT.length());
  }

  private boolean isConvolution() {
    return weight.shape().rank() == CONVOLUTION_AXES;
  }

  /** Which rows of the stored matrix it has, ascending. */
  public int[] outputs() {
    return indices(Axis.OUTPUT);
  }

  /** Which columns of the stored matrix it has, ascending. */
  public int[] inputs() {
    return indices(Axis.INPUT);
  }

  /** Which input of the stored matrix an element of the stored tensor multiplies. */
  public int inputOf(long index) {
    return (int) (transposed ? index / storedOut() : index % storedIn());
  }

  /** Which output of the stored matrix an element of the stored tensor is added to. */
  public int outputOf(long index) {
    return (int) (transposed ? index % storedOut() : index / storedIn());
  }

  private int[] indices(Axis axis) {
    return slice(axis)
        .map(Slice::indices)
        .orElseGet(() -> IntStream.range(0, size(axis)).toArray());
  }

  /**
   * Parts of it of that many rows or columns each, {@code p0}, {@code p1} …, the last perhaps of
   * fewer; itself where it has no more than one of them.
   *
   * @throws UsageException when it is more than a matrix, or a part already
   */
  public List<Layer> panels(Axis axis, int width) {
    if (width < 1) {
      throw new IllegalArgumentException("panels of " + width);
    }
    int size = size(axis);
    if (size <= width) {
      return List.of(this);
    }
    if (isConvolution() || part.isPresent()) {
      throw new UsageException(
          String.format(
              "cannot cut %s of %s into panels of %d %s: it is %s",
              module,
              checkpoint,
              width,
              axis,
              isConvolution() ? "a convolution " + weight.shape() : "a part of " + whole()),
          "pass --exclude " + module + " or ask for wider panels");
    }
    List<Layer> panels = new ArrayList<>();
    for (int first = 0; first < size; first += width) {
      Slice slice = Slice.range(axis, first, Math.min(width, size - first));
      FusedPart panel = new FusedPart("p" + panels.size(), slice);
      panels.add(
          new Layer(
              checkpoint,
              LowRank.part(module, panel.name()),
              weight,
              transposed,
              Optional.of(panel)));
    }
    return panels;
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
    if (part.isPresent()) {
      return algebra.convert(algebra.matrix(out(), in(), readFinite()), precision);
    }
    requireFinite();
    return algebra.load(asMatrix(weight), precision, transposed);
  }

  /** A convolution's kernels, row by row. */
  public static TensorView asMatrix(TensorView stored) {
    if (stored.shape().isMatrix()) {
      return stored;
    }
    long rows = stored.shape().size(0);
    Shape flat = Shape.of(rows, stored.elements() / rows);
    return stored.reshaped(flat);
  }

  /**
   * @throws NonFiniteException when the tensor holds a NaN or an infinity
   */
  public void requireFinite() {
    weight
        .firstNonFinite()
        .ifPresent(
            index -> {
              throw nonFinite(index);
            });
  }

  private NonFiniteException nonFinite(long index) {
    return new NonFiniteException(
        "non-finite value",
        checkpoint + "|" + weight.name(),
        "found a NaN or an infinity at index " + index,
        "repair the model or pass --exclude " + module);
  }

  /** W, row-major. */
  public double[] toDoubles() {
    double[] w = new double[Math.toIntExact(elements())];
    read((index, at, value) -> w[at] = value);
    return w;
  }

  /** Likewise, of a part, whose whole need not be looked at for that. */
  private double[] readFinite() {
    double[] w = new double[Math.toIntExact(elements())];
    read(
        (index, at, value) -> {
          if (!Double.isFinite(value)) {
            throw nonFinite(index);
          }
          w[at] = value;
        });
    return w;
  }

  private interface Element {
    /**
     * @param index in the stored tensor
     * @param at in W, row-major
     */
    void accept(long index, int at, double value);
  }

  /** Stored row by stored row, and of each no more than it takes. */
  private void read(Element element) {
    int[] rows = transposed ? inputs() : outputs();
    int[] columns = transposed ? outputs() : inputs();
    long width = transposed ? storedOut() : storedIn();
    int first = columns[0];
    double[] values = new double[columns[columns.length - 1] + 1 - first];
    for (int i = 0; i < rows.length; i++) {
      long start = rows[i] * width;
      weight.read(start + first, values.length, values);
      for (int k = 0; k < columns.length; k++) {
        int at = transposed ? k * rows.length + i : i * columns.length + k;
        element.accept(start + columns[k], at, values[columns[k] - first]);
      }
    }
  }
}
