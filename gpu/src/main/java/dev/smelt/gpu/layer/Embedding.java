package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.SparseFormat;
import dev.smelt.gpu.torch.Tensors;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Rows of a table [rows, width], by index. */
public sealed interface Embedding {

  /**
   * @param rows [B, T], row-major
   * @return [B, T, width], owned by {@code manager}
   */
  NDArray forward(NDManager manager, int[] rows, int batch, int length, Tape tape);

  /** How many rows the table has. */
  long rows();

  /** How many columns the table has. */
  long width();

  /** The table as an output matrix: y = x tableᵀ + b. */
  Linear asOutput(Optional<Parameter> bias);

  /** The parameters that hold it, by what follows the module in their names: "weight". */
  Map<String, Parameter> holders();

  /** A table as it is. */
  record Table(Parameter table) implements Embedding {

    @Override
    public NDArray forward(NDManager manager, int[] rows, int batch, int length, Tape tape) {
      NDArray index = Tensors.ofInts(manager, rows, batch, length);
      NDArray found =
          ai.djl.nn.core.Embedding.embedding(index, table.value(), SparseFormat.DENSE)
              .singletonOrThrow();
      return tape.recordSource(found, new Use.Lookup(table, rows));
    }

    @Override
    public long rows() {
      return table.info().shape().size(0);
    }

    @Override
    public long width() {
      return table.info().shape().size(1);
    }

    @Override
    public Linear.Dense asOutput(Optional<Parameter> bias) {
      return new Linear.Dense(table, Layout.OUT_IN, bias);
    }

    @Override
    public Map<String, Parameter> holders() {
      return Map.of("weight", table);
    }
  }

  /**
   * A table A B of rank r that is never formed: rows of A times B; as an output matrix (x Bᵀ) Aᵀ.
   *
   * @param a [rows, r]
   * @param b [r, width]
   */
  record Factored(Table a, Parameter b) implements Embedding {

    @Override
    public NDArray forward(NDManager manager, int[] rows, int batch, int length, Tape tape) {
      Linear product = new Linear.Dense(b, Layout.IN_OUT, Optional.empty());
      return product.forward(a.forward(manager, rows, batch, length, tape), tape);
    }

    @Override
    public long rows() {
      return a.rows();
    }

    @Override
    public long width() {
      return b.info().shape().size(1);
    }

    @Override
    public Linear.Factored asOutput(Optional<Parameter> bias) {
      return new Linear.Factored(
          new Linear.Dense(b, Layout.OUT_IN, Optional.empty()),
          new Linear.Dense(a.table(), Layout.OUT_IN, bias));
    }

    @Override
    public Map<String, Parameter> holders() {
      return Map.of("ALinear.weight", a.table(), "BLinear.weight", b);
    }
  }

  /** A table W₀ + A B that is never formed: rows of both, added. */
  record Changed(Table base, Factored change) implements Embedding {

    @Override
    public NDArray forward(NDManager manager, int[] rows, int batch, int length, Tape tape) {
      // Not in place: on a recording tape the rows of W₀ are a leaf.
      return base.forward(manager, rows, batch, length, tape)
          .add(change.forward(manager, rows, batch, length, tape));
    }

    @Override
    public long rows() {
      return base.rows();
    }

    @Override
    public long width() {
      return base.width();
    }

    @Override
    public Linear asOutput(Optional<Parameter> bias) {
      return new Linear.Changed(base.asOutput(bias), change.asOutput(Optional.empty()));
    }

    @Override
    public Map<String, Parameter> holders() {
      Map<String, Parameter> all = new TreeMap<>(base.holders());
      all.putAll(change.holders());
      return all;
    }
  }
}
