package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.pickle.PickleValue.Bool;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Entry;
import dev.smelt.formats.pickle.PickleValue.Global;
import dev.smelt.formats.pickle.PickleValue.PersistentId;
import dev.smelt.formats.pickle.PickleValue.Reduce;
import dev.smelt.formats.pickle.PickleValue.Tuple;
import dev.smelt.formats.pickle.PickleValue.Whole;
import java.util.List;

/**
 * A tensor as a view of a storage: element (i₀, i₁, …) is the storage's element first + Σ iₖ·sₖ.
 *
 * @param call where in the file the pickle makes it; the same for names that share one tensor
 * @param first in elements
 * @param strides in elements, one for each axis
 */
record StridedTensor(
    TensorInfo info, long call, StorageReference storage, long first, List<Long> strides) {

  /** As for safetensors. */
  private static final int MAX_RANK = 64;

  StridedTensor {
    strides = List.copyOf(strides);
  }

  /** Whether a value is a tensor at all. */
  static boolean isTensor(PickleValue value) {
    return value instanceof Reduce call && TorchGlobals.isTensor(call.function());
  }

  /**
   * Reads the arguments of PyTorch's functions:
   *
   * <ul>
   *   <li>{@code _rebuild_tensor(storage, first, size, stride)}
   *   <li>{@code _rebuild_tensor_v2(…, requires_grad, hooks[, metadata])}
   *   <li>{@code _rebuild_tensor_v3(…, requires_grad, hooks, dtype[, metadata])}
   *   <li>{@code _rebuild_parameter(tensor, requires_grad, hooks)}
   * </ul>
   *
   * @param call for which {@link #isTensor} holds
   * @param where the file, for refusals
   */
  static StridedTensor of(String name, Reduce call, String where) {
    String place = where + "@" + call.offset() + "|" + name;
    List<PickleValue> arguments = call.arguments().items();
    int count = arguments.size();
    return switch (call.function().name()) {
      case TorchGlobals.REBUILD_PARAMETER -> {
        if (count != 3
            || !(arguments.getFirst() instanceof Reduce inner)
            || !TorchGlobals.isTensor(inner.function())
            || inner.function().name().equals(TorchGlobals.REBUILD_PARAMETER)) {
          throw malformed(place, call);
        }
        yield of(name, inner, where);
      }
      case TorchGlobals.REBUILD_TENSOR -> {
        require(count == 4, place, call);
        yield strided(name, call, place, where);
      }
      case TorchGlobals.REBUILD_TENSOR_V2 -> {
        require(count == 6 || count == 7, place, call);
        requirePlain(count == 7 ? arguments.get(6) : PickleValue.None.NONE, place);
        yield strided(name, call, place, where);
      }
      default -> {
        require(count == 7 || count == 8, place, call);
        requirePlain(count == 8 ? arguments.get(7) : PickleValue.None.NONE, place);
        yield strided(name, call, place, where).reinterpreted(arguments.get(6), place);
      }
    };
  }

  private static StridedTensor strided(String name, Reduce call, String place, String where) {
    List<PickleValue> arguments = call.arguments().items();
    if (!(arguments.get(0) instanceof PersistentId id)
        || !(arguments.get(1) instanceof Whole first)
        || !(arguments.get(2) instanceof Tuple size)
        || !(arguments.get(3) instanceof Tuple stride)) {
      throw malformed(place, call);
    }
    List<Long> sizes = lengths(size, place);
    List<Long> strides = lengths(stride, place);
    if (sizes.size() != strides.size()) {
      throw new CorruptException(
          "as many strides as sizes expected",
          place,
          "found sizes " + sizes + " and strides " + strides,
          "");
    }
    StorageReference storage = StorageReference.of(id, where);
    Shape shape;
    try {
      shape = Shape.of(sizes.stream().mapToLong(Long::longValue).toArray());
      var _ = storage.type().bytes(shape.elements());
    } catch (ArithmeticException e) {
      throw new CorruptException("impossible tensor size", place, "found " + sizes, "");
    }
    return new StridedTensor(
        new TensorInfo(name, storage.type(), shape),
        call.offset(),
        storage,
        length(first, place),
        strides);
  }

  private StridedTensor reinterpreted(PickleValue dtype, String place) {
    DType type =
        dtype instanceof Global global
            ? TorchGlobals.dtype(global)
                .orElseThrow(
                    () ->
                        new UnsupportedException(
                            "unknown dtype", place, "found " + global.qualified(), ""))
            : info.dtype();
    try {
      var _ = type.bytes(info.elements());
    } catch (ArithmeticException e) {
      throw new CorruptException("impossible tensor size", place, "found " + info.shape(), "");
    }
    return new StridedTensor(info.as(type), call, storage, first, strides);
  }

  /** Lazily conjugated or negated tensors hold other numbers than their storage. */
  private static void requirePlain(PickleValue metadata, String place) {
    if (metadata instanceof Dict flags) {
      for (Entry flag : flags.entries()) {
        if (flag.value() instanceof Bool set && set.value()) {
          throw new UnsupportedException(
              "tensor is a conjugated or negated view", place, "", "save tensor.resolve_conj()");
        }
      }
    }
  }

  private static List<Long> lengths(Tuple numbers, String place) {
    if (numbers.items().size() > MAX_RANK) {
      throw new LimitException(
          "too many axes", place, "at most " + MAX_RANK + ", found " + numbers.items().size(), "");
    }
    return numbers.items().stream().map(number -> length(number, place)).toList();
  }

  private static long length(PickleValue number, String place) {
    if (number instanceof Whole whole) {
      return whole
          .asLong()
          .filter(value -> value >= 0)
          .orElseThrow(
              () ->
                  new CorruptException(
                      "size, stride or offset out of range", place, "found " + whole.value(), ""));
    }
    throw new CorruptException(
        "size, stride or offset is no number",
        place,
        "found a " + number.getClass().getSimpleName(),
        "");
  }

  private static void require(boolean fits, String place, Reduce call) {
    if (!fits) {
      throw malformed(place, call);
    }
  }

  private static CorruptException malformed(String place, Reduce call) {
    return new CorruptException(
        "malformed tensor", place, "arguments do not fit " + call.function().qualified(), "");
  }

  int elementBytes() {
    return info.dtype().bits() / Byte.SIZE;
  }

  /**
   * Elements of the storage that the view reaches, counted from the storage's start; 0 when it has
   * no elements.
   *
   * @throws ArithmeticException on overflow
   */
  long reach() {
    if (info.elements() == 0) {
      return 0;
    }
    long last = first;
    for (int axis = 0; axis < strides.size(); axis++) {
      long steps = info.shape().size(axis) - 1;
      last = Math.addExact(last, Math.multiplyExact(steps, strides.get(axis)));
    }
    return Math.addExact(last, 1);
  }

  /** Whether its elements lie row-major without gaps; strides of axes of one step do not matter. */
  boolean isContiguous() {
    long expected = 1;
    for (int axis = strides.size() - 1; axis >= 0; axis--) {
      long size = info.shape().size(axis);
      if (size != 1 && strides.get(axis) != expected) {
        return info.elements() == 0;
      }
      expected *= size;
    }
    return true;
  }
}
