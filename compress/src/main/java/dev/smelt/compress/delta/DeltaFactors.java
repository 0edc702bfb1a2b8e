package dev.smelt.compress.delta;

import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import dev.smelt.formats.peft.AdapterNames;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.lang.foreign.MemorySegment;

/**
 * Factors of Δ = L·R, L out×r and R r×in, as PEFT stores them and rounded to the stored type: A = R
 * and B = L, of a table A = Lᵀ and B = Rᵀ.
 */
record DeltaFactors(TensorView a, TensorView b, boolean table) {

  /**
   * @throws LimitException when a value is beyond the type's range
   */
  static DeltaFactors round(
      LinearAlgebra algebra, ChangedMatrix matrix, Matrix left, Matrix right, DType dtype) {
    boolean table = matrix.table();
    String module = matrix.module();
    return new DeltaFactors(
        round(AdapterNames.factorA(module, table), table ? algebra.transpose(left) : right, dtype),
        round(AdapterNames.factorB(module, table), table ? algebra.transpose(right) : left, dtype),
        table);
  }

  /** L, out×r, as stored. */
  Matrix left(LinearAlgebra algebra) {
    Matrix stored = AdaptedValues.load(algebra, table ? a : b);
    return table ? algebra.transpose(stored) : stored;
  }

  /** R, r×in, as stored. */
  Matrix right(LinearAlgebra algebra) {
    Matrix stored = AdaptedValues.load(algebra, table ? b : a);
    return table ? algebra.transpose(stored) : stored;
  }

  private static TensorView round(String name, Matrix matrix, DType dtype) {
    TensorInfo info = new TensorInfo(name, dtype, Shape.of(matrix.rows(), matrix.cols()));
    MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(info.bytes())]);
    new TensorEncoder(info).encode(matrix.toDoubles(), bytes);
    return new TensorView(info, bytes);
  }
}
