package dev.smelt.compress.structure;

import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import org.jspecify.annotations.Nullable;

/** What becomes of a tensor. */
sealed interface Fate {

  /** It stays as it is, perhaps under another name. */
  record Stays(TensorView input, String name) implements Fate {
    @Override
    public TensorInfo output() {
      return new TensorInfo(name, input.dtype(), input.shape());
    }

    @Override
    public String action() {
      return TensorRecord.KEPT;
    }

    @Override
    public @Nullable String reason() {
      return name.equals(input.name()) ? null : "now " + name;
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

    @Override
    public String action() {
      return TensorRecord.SHRUNK;
    }

    @Override
    public String reason() {
      return what;
    }
  }

  /**
   * Rows or columns of it stay, with other values.
   *
   * @param cut those that stay
   * @param values as they will be stored
   * @param error of the layer's outputs on the data, relative to them: √(E‖Wx − Ŵx‖² / E‖Wx‖²)
   */
  record Refitted(Cut cut, TensorView values, double error) implements Fate {
    @Override
    public TensorView input() {
      return cut.input();
    }

    @Override
    public TensorInfo output() {
      return values.info();
    }

    @Override
    public String action() {
      return TensorRecord.SHRUNK;
    }

    @Override
    public String reason() {
      return cut.what() + ", the others refitted";
    }
  }

  /** It goes with its block. */
  record Goes(TensorView input, int block) implements Fate {
    @Override
    public TensorInfo output() {
      throw new IllegalStateException(input.name() + " is not in the output");
    }

    @Override
    public String action() {
      return TensorRecord.DROPPED;
    }

    @Override
    public String reason() {
      return "in block " + block + ", which is left out";
    }
  }

  TensorView input();

  /** Name, shape and type of what is left of it, before it is rounded. */
  TensorInfo output();

  /** As of {@link TensorRecord}. */
  String action();

  /** For people; null where there is nothing to say. */
  @Nullable String reason();
}
