package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Makes tensors out of storages: contiguous ones where they lie in the file, other views as copies.
 */
final class TensorBuilder {

  /**
   * Copies beyond the file's own size. Views of real models show each element about once; a view
   * with a stride of zero can be of any size.
   */
  private static final long MAX_EXTRA_COPIES = 1 << 26;

  private final Storages storages;
  private final Arena arena;
  private final String where;
  private long copiesLeft;

  /**
   * @param fileBytes size of the file
   */
  TensorBuilder(Storages storages, Arena arena, String where, long fileBytes) {
    this.storages = storages;
    this.arena = arena;
    this.where = where;
    this.copiesLeft = fileBytes + MAX_EXTRA_COPIES;
  }

  TensorView build(StridedTensor tensor) {
    MemorySegment storage = storages.data(tensor.storage(), tensor.info().name());
    requireInside(tensor, storage.byteSize());
    long bytes = tensor.info().bytes();
    if (tensor.isContiguous()) {
      long start = bytes == 0 ? 0 : tensor.first() * tensor.elementBytes();
      return new TensorView(tensor.info(), storage.asSlice(start, bytes));
    }
    if (bytes > copiesLeft) {
      throw new LimitException(
          "tensors that are not contiguous are too large",
          place(tensor),
          "needs " + bytes + " bytes of memory, at most " + copiesLeft + " more",
          "save it with tensor.contiguous()");
    }
    copiesLeft -= bytes;
    MemorySegment copy = arena.allocate(bytes, Long.BYTES);
    StridedCopy.gather(tensor, storage, copy);
    return new TensorView(tensor.info(), copy);
  }

  private void requireInside(StridedTensor tensor, long storageBytes) {
    long held = storageBytes / tensor.elementBytes();
    long reach;
    try {
      reach = tensor.reach();
    } catch (ArithmeticException e) {
      reach = Long.MAX_VALUE;
    }
    if (reach > held) {
      throw new CorruptException(
          "tensor reaches beyond its storage",
          place(tensor),
          "needs " + reach + " elements, storage '" + tensor.storage().key() + "' has " + held,
          "");
    }
  }

  private String place(StridedTensor tensor) {
    return where + "@" + tensor.storage().offset() + "|" + tensor.info().name();
  }
}
