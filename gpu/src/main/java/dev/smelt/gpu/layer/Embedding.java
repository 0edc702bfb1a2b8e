package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.SparseFormat;
import dev.smelt.gpu.torch.Tensors;

/** Rows of a table [rows, width], by index. */
public record Embedding(Parameter table) {

  /**
   * @param rows [B, T], row-major
   * @return [B, T, width], owned by {@code manager}
   */
  public NDArray forward(NDManager manager, int[] rows, int batch, int length, Tape tape) {
    NDArray index = Tensors.ofInts(manager, rows, batch, length);
    NDArray found =
        ai.djl.nn.core.Embedding.embedding(index, table.value(), SparseFormat.DENSE)
            .singletonOrThrow();
    return tape.recordSource(found, new Use.Lookup(table, rows));
  }
}
