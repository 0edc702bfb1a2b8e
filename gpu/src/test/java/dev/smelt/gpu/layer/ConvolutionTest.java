package dev.smelt.gpu.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.layer.Convolution.Kernel;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.plain.PlainConvolution;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.Tensors;
import dev.smelt.gpu.torch.TorchDevice;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConvolutionTest {

  /** f32 sums of a few dozen products of order 1 against f64. */
  private static final double TOLERANCE = 1e-5;

  private static final double STEP = 1e-4;

  private static final int BATCH = 3;

  @TempDir private Path folder;

  /** One random convolution with its data, and the same in f64. */
  private static final class Case {
    private final Random random;
    private final int[] sizes;
    private final int[] stride;
    private final int[] padding;
    private final int[] dilation;
    private final double[] weight;
    private final double[] bias;
    private final double[][] images = new double[BATCH][];

    Case(long seed) {
      random = new Random(seed);
      sizes = new int[] {between(1, 4), between(1, 3), 0, 0, between(1, 3), between(1, 3)};
      stride = new int[] {between(1, 3), between(1, 3)};
      padding = new int[] {between(0, 2), between(0, 2)};
      dilation = new int[] {between(1, 3), between(1, 3)};
      sizes[2] = dilation[0] * (sizes[4] - 1) + 1 + between(0, 5);
      sizes[3] = dilation[1] * (sizes[5] - 1) + 1 + between(0, 5);
      weight = deviates(sizes[0] * sizes[1] * sizes[4] * sizes[5]);
      bias = deviates(random.nextBoolean() ? sizes[0] : 0);
      for (int b = 0; b < BATCH; b++) {
        images[b] = deviates(sizes[1] * sizes[2] * sizes[3]);
      }
    }

    private int between(int least, int most) {
      return least + random.nextInt(most - least + 1);
    }

    private double[] deviates(int count) {
      double[] values = new double[count];
      Arrays.setAll(values, i -> (float) random.nextGaussian());
      return values;
    }

    double[] expected(int b) {
      return PlainConvolution.of(images[b], weight, bias, sizes, stride, padding, dilation);
    }

    Kernel kernel() {
      return Kernel.of(new Shape(sizes[4], sizes[5]))
          .withStride(new Shape(stride[0], stride[1]))
          .withPadding(new Shape(padding[0], padding[1]))
          .withDilation(new Shape(dilation[0], dilation[1]));
    }
  }

  private Path file(Case with) {
    int[] s = with.sizes;
    var w =
        TestTensors.f32(
            "c.weight", dev.smelt.formats.Shape.of(s[0], s[1], s[4], s[5]), floats(with.weight));
    var b =
        TestTensors.f32("c.bias", dev.smelt.formats.Shape.of(with.bias.length), floats(with.bias));
    return TestCheckpoints.file(folder.resolve("c.safetensors"), List.of(w, b));
  }

  private static float[] floats(double... values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  private static NDArray images(NDManager manager, Case with) {
    int each = with.images[0].length;
    float[] all = new float[BATCH * each];
    for (int b = 0; b < BATCH; b++) {
      System.arraycopy(floats(with.images[b]), 0, all, b * each, each);
    }
    int[] s = with.sizes;
    return Tensors.ofFloats(manager, all, BATCH, s[1], s[2], s[3]);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void agreesWithPlainConvolutionsAndTheirDifferences(long seed) {
    Case with = new Case(seed);
    TorchDevice device = TestDevice.get().torch();
    try (Checkpoint checkpoint = Checkpoint.open(file(with));
        NDManager manager = device.scope()) {
      Weights weights = Weights.of(checkpoint, manager);
      Convolution layer =
          weights.convolution(
              "c",
              with.sizes[1],
              with.sizes[0],
              with.kernel(),
              with.bias.length > 0 ? Bias.YES : Bias.NO,
              device.functions());
      weights.upload();
      NDArray x = images(manager, with);
      assertValues(layer.forward(x, Tape.off()), with);
      Tape tape = Tape.recording();
      NDArray y = Autograd.recorded(() -> layer.forward(x, tape));
      assertValues(y, with);
      NDArray flat = layer.flat(x, Tape.off());
      assertThat(flat.transpose(0, 2, 1).toFloatArray())
          .isEqualTo(layer.forward(x, Tape.off()).toFloatArray());
      assertGradients(manager, tape, y, with);
    }
  }

  private static void assertValues(NDArray y, Case with) {
    float[] found = y.toFloatArray();
    for (int b = 0; b < BATCH; b++) {
      double[] expected = with.expected(b);
      assertThat(found).hasSize(BATCH * expected.length);
      for (int i = 0; i < expected.length; i++) {
        assertThat((double) found[b * expected.length + i])
            .isCloseTo(expected[i], within(TOLERANCE));
      }
    }
    assertThat(y.getShape().get(1)).isEqualTo(with.sizes[0]);
  }

  /** ∂/∂θ of Σ r ⊙ y for every example, from what the tape has, against differences. */
  private static void assertGradients(NDManager manager, Tape tape, NDArray y, Case with) {
    float[] r = floats(with.deviates(Math.toIntExact(y.size())));
    Autograd.backward(y, manager.create(r, y.getShape()), false);
    Tape.Tap tap = tape.taps().getFirst();
    Use.Product product = (Use.Product) tap.uses().getFirst();
    NDArray delta = tap.delta();
    float[] ofWeight = delta.transpose(0, 2, 1).matMul(product.x()).toFloatArray();
    float[] ofBias = delta.sum(new int[] {1}).toFloatArray();
    assertThat(tap.uses()).hasSize(with.bias.length > 0 ? 2 : 1);
    for (int b = 0; b < BATCH; b++) {
      assertDifferences(with, with.weight, ofWeight, r, b);
      assertDifferences(with, with.bias, with.bias.length > 0 ? ofBias : new float[0], r, b);
    }
  }

  private static void assertDifferences(
      Case with, double[] parameter, float[] gradients, float[] r, int b) {
    for (int i = 0; i < parameter.length; i++) {
      double kept = parameter[i];
      parameter[i] = kept + STEP;
      double above = weighted(with, r, b);
      parameter[i] = kept - STEP;
      double below = weighted(with, r, b);
      parameter[i] = kept;
      assertThat((double) gradients[b * parameter.length + i])
          .isCloseTo((above - below) / (2 * STEP), within(10 * TOLERANCE));
    }
  }

  private static double weighted(Case with, float[] r, int b) {
    double[] y = with.expected(b);
    double sum = 0;
    for (int i = 0; i < y.length; i++) {
      sum += r[b * y.length + i] * y[i];
    }
    return sum;
  }

  /** Weights are learned with gradients that come through the patches as well. */
  @Test
  void letsGradientsThroughToItsInputs() {
    Case with = new Case(3);
    TorchDevice device = TestDevice.get().torch();
    try (Checkpoint checkpoint = Checkpoint.open(file(with));
        NDManager manager = device.scope()) {
      Weights weights = Weights.of(checkpoint, manager);
      Convolution layer =
          weights.convolution(
              "c", with.sizes[1], with.sizes[0], with.kernel(), Bias.NO, device.functions());
      weights.upload();
      float[][] gradients = new float[2][];
      for (int i = 0; i < 2; i++) {
        NDArray x = images(manager, with);
        x.setRequiresGradient(true);
        Tape tape = i == 0 ? Tape.off() : Tape.recording();
        NDArray y = Autograd.recorded(() -> layer.forward(x, tape));
        Autograd.backward(y, y.onesLike(), false);
        gradients[i] = x.getGradient().toFloatArray();
      }
      assertThat(gradients[1]).hasSameSizeAs(gradients[0]);
      for (int i = 0; i < gradients[0].length; i++) {
        assertThat(gradients[1][i]).isCloseTo(gradients[0][i], within((float) TOLERANCE));
      }
    }
  }

  @Test
  void refusesConvolutionsInGroups() {
    Case with = new Case(1);
    try (Checkpoint checkpoint = Checkpoint.open(file(with));
        NDManager manager = TestDevice.get().torch().scope()) {
      Weights weights = Weights.of(checkpoint, manager);
      assertThatThrownBy(
              () ->
                  weights.convolution(
                      "c",
                      2L * with.sizes[1],
                      with.sizes[0],
                      with.kernel(),
                      Bias.NO,
                      TestDevice.get().torch().functions()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("c.weight");
    }
  }
}
