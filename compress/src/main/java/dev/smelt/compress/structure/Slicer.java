package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Values;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Rows or columns of a tensor, bit for bit. */
final class Slicer {

  private static final int BYTE = 8;

  private Slicer() {}

  /** What {@link #cut} will give. */
  static TensorInfo cutInfo(TensorInfo tensor, int axis, int kept) {
    long[] sizes = tensor.shape().sizes().toArray();
    sizes[axis] = kept;
    return new TensorInfo(tensor.name(), tensor.dtype(), Shape.of(sizes));
  }

  /**
   * What stays of a tensor, with the values that it had, under its new name.
   *
   * @throws UnsupportedException when elements are no whole bytes
   */
  static TensorView left(Fate fate, Scratch scratch) {
    return switch (fate) {
      case Fate.Stays(TensorView input, String name) -> input.renamed(name);
      case Fate.Cut(TensorView input, int axis, int[] kept, String _) ->
          cut(input, axis, kept, scratch);
      case Fate.Refitted refitted -> left(refitted.cut(), scratch);
      case Fate.Goes goes -> throw new IllegalArgumentException(goes.input().name());
    };
  }

  /** ‖W − Ŵ‖ / ‖W‖ of what stays of W; 0 where that is zero. */
  static double change(Fate fate, TensorView written, Scratch scratch) {
    TensorView left = left(fate, scratch);
    double norm = Values.norm(left);
    return norm == 0 ? 0 : Values.distance(left, written) / norm;
  }

  /**
   * @param axis of the stored tensor: 0, or 1 of a matrix
   * @param kept indices along it, ascending
   * @throws UnsupportedException when elements are no whole bytes
   */
  static TensorView cut(TensorView tensor, int axis, int[] kept, Scratch scratch) {
    TensorInfo info = cutInfo(tensor.info(), axis, kept.length);
    if (tensor.dtype().bits() % BYTE != 0) {
      throw new UnsupportedException(
          "cannot cut a tensor whose elements are no whole bytes",
          tensor.name(),
          "found " + tensor.dtype().label(),
          "store it in a wider type first");
    }
    long[] sizes = tensor.shape().sizes().toArray();
    long before = product(sizes, 0, axis);
    long unit = product(sizes, axis + 1, sizes.length) * tensor.dtype().bits() / BYTE;
    long stride = unit * sizes[axis];
    MemorySegment target = scratch.allocate(info.bytes());
    long at = 0;
    for (long row = 0; row < before; row++) {
      for (int i = 0; i < kept.length; ) {
        int run = run(kept, i);
        long bytes = run * unit;
        MemorySegment.copy(tensor.segment(), row * stride + kept[i] * unit, target, at, bytes);
        at += bytes;
        i += run;
      }
    }
    return new TensorView(info, target);
  }

  private static long product(long[] sizes, int from, int to) {
    return Arrays.stream(sizes, from, to).reduce(1, (a, b) -> a * b);
  }

  /** How many indices follow each other from place {@code i} on. */
  private static int run(int[] kept, int i) {
    int end = i + 1;
    while (end < kept.length && kept[end] == kept[end - 1] + 1) {
      end++;
    }
    return end - i;
  }
}
