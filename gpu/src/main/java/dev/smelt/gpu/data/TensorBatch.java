package dev.smelt.gpu.data;

import dev.smelt.formats.Shape;
import java.util.List;

/**
 * Images or other tensors of one shape, side by side.
 *
 * @param shape of one example, such as [channels, height, width]
 * @param elements [B, *shape], row-major
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
public record TensorBatch(long first, int size, Shape shape, float[] elements, int[] targets)
    implements Batch {

  static TensorBatch of(long first, List<Example.Values> examples) {
    Shape shape = examples.getFirst().shape();
    int each = Math.toIntExact(shape.elements());
    float[] elements = new float[Math.multiplyExact(examples.size(), each)];
    int[] targets = new int[examples.size()];
    for (int b = 0; b < examples.size(); b++) {
      examples.get(b).source().read(elements, b * each);
      targets[b] = examples.get(b).label();
    }
    return new TensorBatch(first, examples.size(), shape, elements, targets);
  }

  @Override
  public long tokenCount() {
    return 0;
  }

  @Override
  public TensorBatch values() {
    return this;
  }
}
