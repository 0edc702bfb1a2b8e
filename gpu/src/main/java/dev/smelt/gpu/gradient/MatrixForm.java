package dev.smelt.gpu.gradient;

import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Use;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How a parameter is a matrix W with {@code out} rows and {@code in} columns. A convolution [out,
 * channels, height, width] has all but the first axis as columns; a table its rows as rows.
 *
 * @param layout whether the stored order is W or Wᵀ
 * @param linear whether it maps inputs x to outputs y = W x that are known
 */
public record MatrixForm(Layout layout, long out, long in, boolean linear) {

  /** Empty for vectors and scalars, and for what is used as a vector in whatever shape it is. */
  public static Optional<MatrixForm> of(TensorInfo parameter, List<Use> uses) {
    Shape shape = parameter.shape();
    boolean vector = uses.stream().anyMatch(u -> u instanceof Use.Shift || u instanceof Use.Scale);
    if (shape.rank() < 2 || shape.elements() == 0 || vector) {
      return Optional.empty();
    }
    long first = shape.size(0);
    long rest = shape.elements() / first;
    boolean whole = uses.stream().anyMatch(Use.Whole.class::isInstance);
    boolean linear = !whole && uses.stream().anyMatch(Use.Product.class::isInstance);
    Layout layout = layout(uses.stream());
    return Optional.of(
        switch (layout) {
          case OUT_IN -> new MatrixForm(layout, first, rest, linear);
          case IN_OUT -> new MatrixForm(layout, rest, first, linear);
        });
  }

  /**
   * Which way a parameter is a matrix: [out, in], unless all its products are in the other order.
   * The factor B of a tied table is used both ways, x Bᵀ in the head and z B in the table.
   */
  static Layout layout(Stream<Use> uses) {
    List<Layout> layouts =
        uses.filter(Use.Product.class::isInstance)
            .map(use -> ((Use.Product) use).layout())
            .toList();
    return layouts.isEmpty() || layouts.contains(Layout.OUT_IN) ? Layout.OUT_IN : Layout.IN_OUT;
  }

  /** Rows of the matrix as it is stored. */
  public long storedRows() {
    return layout == Layout.OUT_IN ? out : in;
  }

  /** Columns of the matrix as it is stored. */
  public long storedColumns() {
    return layout == Layout.OUT_IN ? in : out;
  }
}
