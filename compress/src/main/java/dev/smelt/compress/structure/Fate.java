package dev.smelt.compress.structure;

import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;

/** What becomes of a tensor. */
sealed interface Fate {

  /** It stays as it is, perhaps under another name. */
  record Stays(TensorView input, String name) implements Fate {
    @Override
    public TensorInfo output() {
      return new TensorInfo(name, input.dtype(), input.shape());
    }
  }

  /**
   * Rows or columns of it stay.
   *
   * @param axis of the stored tensor
   * @param kept indices along it, ascending
   * @param what is left out, for people
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Cut(TensorView input, int axis, int[] kept, String what) implements Fate {
    @Override
    public TensorInfo output() {
      return Slicer.cutInfo(input.info(), axis, kept.length);
    }
  }

  /**
   * Rows or columns of it stay, with other values.
   *
   * @param values as they will be stored
   * @param what is left out, for people
   * @param error of the layer's outputs on the data, relative to them: √(E‖Wx − Ŵx‖² / E‖Wx‖²)
   */
  record Refitted(TensorView input, TensorView values, String what, double error) implements Fate {
    @Override
    public TensorInfo output() {
      return values.info();
    }
  }

  /** It goes with its block. */
  record Goes(TensorView input, int block) implements Fate {
    @Override
    public TensorInfo output() {
      throw new IllegalStateException(input.name() + " is not in the output");
    }
  }

  TensorView input();

  /** Name, shape and type of what is left of it, before it is rounded. */
  TensorInfo output();
}
