package dev.smelt.formats.torch;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** Copies the elements of a strided view out of its storage, row-major, or back into it. */
final class StridedCopy {

  private final StridedTensor tensor;
  private final MemorySegment storage;
  private final MemorySegment dense;
  private final boolean gather;
  private final int width;
  private long done;

  private StridedCopy(
      StridedTensor tensor, MemorySegment storage, MemorySegment dense, boolean gather) {
    this.tensor = tensor;
    this.storage = storage;
    this.dense = dense;
    this.gather = gather;
    this.width = tensor.elementBytes();
  }

  /**
   * @param storage reaches as far as the view does
   * @param target as large as the tensor
   */
  static void gather(StridedTensor tensor, MemorySegment storage, MemorySegment target) {
    if (tensor.info().elements() > 0) {
      new StridedCopy(tensor, storage, target, true).copy(0, tensor.first());
    }
  }

  /**
   * @param source as large as the tensor
   * @param storage reaches as far as the view does
   */
  static void scatter(StridedTensor tensor, MemorySegment source, MemorySegment storage) {
    if (tensor.info().elements() > 0) {
      new StridedCopy(tensor, storage, source, false).copy(0, tensor.first());
    }
  }

  private void copy(int axis, long at) {
    List<Long> strides = tensor.strides();
    if (axis == strides.size()) {
      run(at, 1);
      return;
    }
    long size = tensor.info().shape().size(axis);
    long stride = strides.get(axis);
    if (axis == strides.size() - 1 && stride == 1) {
      run(at, size);
      return;
    }
    for (long i = 0; i < size; i++) {
      copy(axis + 1, at + i * stride);
    }
  }

  /** Elements side by side in both. */
  private void run(long at, long elements) {
    long bytes = elements * width;
    if (gather) {
      MemorySegment.copy(storage, at * width, dense, done, bytes);
    } else {
      MemorySegment.copy(dense, done, storage, at * width, bytes);
    }
    done += bytes;
  }
}
