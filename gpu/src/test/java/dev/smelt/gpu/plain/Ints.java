package dev.smelt.gpu.plain;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.Map;
import java.util.Random;

/**
 * A tiny model whose factors are random integers with scales, and the same with the numbers that
 * they stand for, which are exact in f32.
 */
public record Ints(TinyModel stored, TinyModel floats) {

  private static final int LARGEST = 127;

  /** Of nine bits, so that products have sixteen; the largest value is about 1. */
  private static final int SCALES = 1 << 9;

  private static final double UNIT = 0x1p-16;

  /**
   * @param model with factors in floats
   */
  public static Ints of(TinyModel model) {
    Random random = new Random(88);
    Ints made = new Ints(model, model);
    for (Map.Entry<String, Tensor> entry : model.tensors().entrySet()) {
      String name = entry.getKey();
      if (name.endsWith("Linear.weight") || name.startsWith("smelt.basis.")) {
        made = made.with(name, entry.getValue().shape(), random);
      }
    }
    return made;
  }

  private Ints with(String name, Shape shape, Random random) {
    int rows = (int) shape.size(0);
    double[] scales = new double[rows];
    double[] ints = new double[(int) shape.elements()];
    double[] values = new double[ints.length];
    int width = ints.length / rows;
    for (int row = 0; row < rows; row++) {
      scales[row] = (1 + random.nextInt(SCALES)) * UNIT;
      for (int i = row * width; i < (row + 1) * width; i++) {
        ints[i] = random.nextInt(2 * LARGEST + 1) - LARGEST;
        values[i] = ints[i] * scales[row];
      }
    }
    return new Ints(
        stored
            .withTensor(name, new Tensor(shape, ints))
            .withTensor(name + "_scale", new Tensor(Shape.of(rows, 1), scales)),
        floats.withTensor(name, new Tensor(shape, values)));
  }
}
