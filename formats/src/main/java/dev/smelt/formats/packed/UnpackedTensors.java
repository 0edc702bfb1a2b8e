package dev.smelt.formats.packed;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of files that may hold packed ones: those in place of their parts, each where its
 * values lie. They are unpacked when a value is first asked for, and live until this is closed.
 */
public final class UnpackedTensors implements AutoCloseable {

  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final SequencedMap<String, TensorView> stored;
  private final String where;
  private final UnpackedStore store = new UnpackedStore();
  private final SequencedMap<String, TensorView> tensors = new LinkedHashMap<>();

  /**
   * @param stored what the files hold, by name, in order
   * @param where the checkpoint, for refusals
   * @throws CorruptException when parts are missing or do not fit each other
   */
  public UnpackedTensors(SequencedMap<String, TensorView> stored, String where) {
    this.stored = stored;
    this.where = where;
    for (TensorView view : stored.values()) {
      Optional<String> ending = PackedFormat.ending(view.name());
      if (ending.isEmpty()) {
        tensors.put(view.name(), view);
        continue;
      }
      String name = view.name().substring(0, view.name().length() - ending.get().length());
      requireWhole(name, view.name());
      if (ending.get().equals(PackedFormat.VALUES)) {
        tensors.put(name, unpacked(name, view));
      }
    }
  }

  /** In order. */
  public SequencedMap<String, TensorView> tensors() {
    return Collections.unmodifiableSequencedMap(tensors);
  }

  /** Whether any of them is packed. */
  public boolean arePacked() {
    return tensors.size() < stored.size();
  }

  private void requireWhole(String name, String part) {
    for (String ending : PackedFormat.ENDINGS) {
      if (!stored.containsKey(name + ending)) {
        throw corrupt(part, "part of a packed tensor", "expected " + name + ending + " beside it");
      }
    }
    if (stored.containsKey(name)) {
      throw corrupt(part, "tensor that is packed and plain", "expected no tensor " + name);
    }
    if (PackedFormat.ending(name).isPresent()) {
      throw corrupt(part, "part of a packed tensor is packed", "expected a plain one");
    }
  }

  private TensorView unpacked(String name, TensorView values) {
    TensorView bits = part(name + PackedFormat.BITS, DType.U8);
    TensorView sizes = part(name + PackedFormat.SHAPE, DType.I64);
    TensorInfo info = new TensorInfo(name, values.dtype(), shape(sizes));
    long bytes = bytes(info, sizes);
    long expected = PackedFormat.bitBytes(info.elements());
    if (bits.elements() != expected) {
      throw corrupt(
          bits.name(),
          "bits do not fit the shape",
          "expected " + expected + " bytes for " + info.shape() + ", found " + bits.elements());
    }
    long most = PackedFormat.valueElements(info.dtype(), info.elements());
    if (values.shape().rank() != 1 || values.elements() > most) {
      throw corrupt(
          values.name(),
          "values do not fit the shape",
          "expected one axis of at most " + most + ", found " + values.shape());
    }
    long fileBytes = bits.info().bytes() + values.info().bytes() + sizes.info().bytes();
    return TensorView.packed(
        info, fileBytes, new UnpackedBytes(bits, values, bytes, store, where + "|" + name));
  }

  private TensorView part(String name, DType dtype) {
    @Nullable TensorView part = stored.get(name);
    if (part == null || part.dtype() != dtype || part.shape().rank() != 1) {
      throw corrupt(
          name,
          "part of a packed tensor of the wrong type",
          "expected " + dtype.label() + " of one axis, found " + (part == null ? "" : part.info()));
    }
    return part;
  }

  private Shape shape(TensorView sizes) {
    long[] axes = new long[(int) Math.min(sizes.elements(), TensorInfo.MAX_RANK + 1)];
    for (int axis = 0; axis < axes.length; axis++) {
      axes[axis] = sizes.segment().get(I64, (long) axis * Long.BYTES);
    }
    try {
      if (axes.length <= TensorInfo.MAX_RANK) {
        return Shape.of(axes);
      }
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw impossible(sizes, String.valueOf(e.getMessage()));
    }
    throw impossible(sizes, "found " + sizes.elements() + " axes");
  }

  private long bytes(TensorInfo info, TensorView sizes) {
    try {
      return info.bytes();
    } catch (ArithmeticException e) {
      throw impossible(sizes, "of " + info.dtype().label() + ": " + e.getMessage());
    }
  }

  private CorruptException impossible(TensorView sizes, String found) {
    return corrupt(sizes.name(), "impossible shape of a packed tensor", found);
  }

  private CorruptException corrupt(String part, String what, String detail) {
    return new CorruptException(what, where + "|" + part, detail, "make the checkpoint again");
  }

  @Override
  public void close() {
    store.close();
  }
}
