package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.stream.IntStream;

/**
 * Sums of Σₙ gₙ ⊙ gₙ along one axis of a matrix. With gₙ = ΔᵀX the rows are diag(Δᵀ(XXᵀ)Δ) and the
 * columns diag(Xᵀ(ΔΔᵀ)X): T×T products, and no gradient is formed.
 *
 * @param temporary owns what is made on the way
 */
record LineSums(ParameterGradients gradients, NDManager temporary) {

  void addRows(Total total) {
    add(total, true);
  }

  void addColumns(Total total) {
    add(total, false);
  }

  private void add(Total total, boolean rows) {
    UsedWith first = gradients.uses().getFirst();
    if (first.use() instanceof Use.Whole) {
      NDArray squares = first.delta().reshape(gradients.storedMatrix()).square();
      squares.attach(temporary);
      total.add(temporary, functions(), squares.sum(new int[] {rows ? 1 : 0}));
    } else if (gradients.uses().size() == 1 && first.use() instanceof Use.Lookup lookup) {
      LookupSums sums = LookupSums.of(temporary, functions(), lookup, first.delta());
      if (rows) {
        NDArray squares = sums.squares().sum(new int[] {1});
        total.addRows(temporary, functions(), sums.rows(), squares);
      } else {
        total.add(temporary, functions(), sums.squares().sum(new int[] {0}));
      }
    } else {
      NDArray left = storedRows();
      NDArray right = storedColumns();
      boolean ofStoredRows = rows == (gradients.layout() == Layout.OUT_IN);
      total.add(
          temporary,
          functions(),
          ofStoredRows
              ? functions().call(temporary, "sums_of_squared_rows", left, right)
              : functions().call(temporary, "sums_of_squared_rows", right, left));
    }
  }

  private ScriptFunctions functions() {
    return gradients.functions();
  }

  /** What each position adds along the first axis as it is stored, of all uses: [B, T…, rows]. */
  private NDArray storedRows() {
    NDList parts = new NDList();
    for (UsedWith used : gradients.uses()) {
      parts.add(
          switch (used.use()) {
            case Use.Product product ->
                product.layout() == Layout.OUT_IN ? used.delta() : product.x();
            case Use.Lookup lookup -> oneHot(lookup, used);
            case Use.Shift _, Use.Scale _, Use.Whole _ -> throw noMatrix();
          });
    }
    return afterOneAnother(parts);
  }

  /** Likewise along the second axis: [B, T…, columns]. */
  private NDArray storedColumns() {
    NDList parts = new NDList();
    for (UsedWith used : gradients.uses()) {
      parts.add(
          switch (used.use()) {
            case Use.Product product ->
                product.layout() == Layout.OUT_IN ? product.x() : used.delta();
            case Use.Lookup _ -> used.delta();
            case Use.Shift _, Use.Scale _, Use.Whole _ -> throw noMatrix();
          });
    }
    return afterOneAnother(parts);
  }

  private IllegalStateException noMatrix() {
    return new IllegalStateException(gradients.name() + " is a matrix and something else");
  }

  private NDArray afterOneAnother(NDList parts) {
    if (parts.size() == 1) {
      return parts.getFirst();
    }
    NDArray all = NDArrays.concat(parts, 1);
    all.attach(temporary);
    return all;
  }

  private NDArray oneHot(Use.Lookup lookup, UsedWith used) {
    long[] rows = IntStream.of(lookup.rows()).asLongStream().toArray();
    Shape delta = used.delta().getShape();
    int table = Math.toIntExact(gradients.parameter().info().shape().size(0));
    return temporary
        .create(rows, new Shape(delta.get(0), delta.get(1)))
        .oneHot(table, DataType.FLOAT32);
  }
}
