package dev.smelt.gpu.layer;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.Tensors;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class AttentionTest {

  private static final int LENGTH = 4;
  private static final int WIDTH = 6;

  @Test
  void givesPaddingAndFutureNoWeightAtAll() {
    try (NDManager manager = TestDevice.get().torch().scope()) {
      NDArray q = random(manager, 1);
      NDArray v = random(manager, 2);
      NDArray bias = Attention.paddingBias(q, new int[] {3, 1}, LENGTH);
      float[] padded = Attention.attend(q, q, v, 2, 0.5, bias).toFloatArray();
      float[] values = v.toFloatArray();
      Arrays.fill(values, 3 * WIDTH, LENGTH * WIDTH, 1e30f);
      Arrays.fill(values, (LENGTH + 1) * WIDTH, 2 * LENGTH * WIDTH, -1e30f);
      NDArray changed = Tensors.ofFloats(manager, values, 2, LENGTH, WIDTH);
      assertThat(Attention.attend(q, q, changed, 2, 0.5, bias).toFloatArray()).isEqualTo(padded);

      NDArray causal = Attention.causalBias(q, LENGTH);
      float[] first = row(Attention.attend(q, q, v, 2, 0.5, causal), 0);
      assertThat(first).isEqualTo(row(v, 0));
    }
  }

  private static float[] row(NDArray x, int t) {
    return x.get("0, {}", t).toFloatArray();
  }

  /** A scale that lived only as long as the forward pass would be read after it was freed. */
  @Test
  void keepsItsGradientWhenMemoryIsReusedBetweenThePasses() {
    assertThat(gradient(true)).isEqualTo(gradient(false));
  }

  private static float[] gradient(boolean churn) {
    try (NDManager manager = TestDevice.get().torch().scope()) {
      NDArray q = random(manager, 3);
      q.setRequiresGradient(true);
      NDArray k = random(manager, 4);
      NDArray bias = Attention.causalBias(q, LENGTH);
      NDArray y = Autograd.recorded(() -> Attention.attend(q, k, k, 2, 0.5, bias));
      if (churn) {
        System.gc();
        List<ByteBuffer> overwritten = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
          overwritten.add(ByteBuffer.allocateDirect(4).putInt(0, Float.floatToIntBits(1e10f)));
        }
        assertThat(overwritten).hasSize(20_000);
      }
      NDArray ones = manager.ones(y.getShape(), DataType.FLOAT32);
      Autograd.backward(y, ones.mul(k), false);
      return q.getGradient().toFloatArray();
    }
  }

  private static NDArray random(NDManager manager, long seed) {
    Random random = new Random(seed);
    float[] values = new float[2 * LENGTH * WIDTH];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensors.ofFloats(manager, values, 2, LENGTH, WIDTH);
  }
}
