package dev.smelt.formats.torch;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** Gathers the elements of a strided view row-major. */
final class StridedCopy {

  private final StridedTensor tensor;
  private final MemorySegment storage;
  private final MemorySegment target;
  private final int width;
  private long written;

  private StridedCopy(StridedTensor tensor, MemorySegment storage, MemorySegment target) {
    this.tensor = tensor;
    this.storage = storage;
    this.target = target;
    this.width = tensor.elementBytes();
  }

  /**
   * @param storage reaches as far as the view does
   * @param target as large as the tensor
   */
  static void run(StridedTensor tensor, MemorySegment storage, MemorySegment target) {
    if (tensor.info().elements() > 0) {
      new StridedCopy(tensor, storage, target).copy(0, tensor.first());
    }
  }

  private void copy(int axis, long at) {
    List<Long> strides = tensor.strides();
    if (axis == strides.size()) {
      put(at, 1);
      return;
    }
    long size = tensor.info().shape().size(axis);
    long stride = strides.get(axis);
    if (axis == strides.size() - 1 && stride == 1) {
      put(at, size);
      return;
    }
    for (long i = 0; i < size; i++) {
      copy(axis + 1, at + i * stride);
    }
  }

  private void put(long at, long elements) {
    MemorySegment.copy(storage, at * width, target, written, elements * width);
    written += elements * width;
  }
}
