package dev.smelt.gpu.network;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import dev.smelt.formats.testing.TestZip;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A small TorchScript module and the same in plain Java: x [1, 4, 4] → convolution 3×3 to 2
 * channels → batch normalisation by running statistics → relu → linear to 3 classes. It was saved
 * in training mode, and it has a parameter that forward does not use.
 */
final class TinyScript {

  static final Shape INPUT = Shape.of(1, 4, 4);
  static final int CLASSES = 3;

  private static final int CHANNELS = 2;
  private static final int SIDE = 4;
  private static final int KERNEL = 3;
  private static final int OUT = SIDE - KERNEL + 1;
  private static final double EPSILON = 1e-5;

  /** How forward ends: from the features y [B, 2, 2, 2] to the result. */
  static final String LOGITS =
      """
          fc = self.fc
          return torch.linear(torch.flatten(y, 1), fc.weight, fc.bias)
      """;

  private static final String FEATURES =
      """
          conv = self.conv
          bn = self.bn
          y = torch.conv2d(x, conv.weight, conv.bias, [1, 1], [0, 0], [1, 1], 1)
          y = torch.relu((bn).forward(y, ))
      """;

  private static final String CODE =
      """
      class Net(Module):
        __parameters__ = ["unused", ]
        __buffers__ = []
        training : bool
        unused : Tensor
        conv : __torch__.Affine
        bn : __torch__.Norm
        fc : __torch__.Affine
        def forward(self: __torch__.Net, x: Tensor) -> RESULT:
      BODY
      class Norm(Module):
        __parameters__ = ["weight", "bias", ]
        __buffers__ = ["running_mean", "running_var", "num_batches_tracked", ]
        training : bool
        weight : Tensor
        bias : Tensor
        running_mean : Tensor
        running_var : Tensor
        num_batches_tracked : Tensor
        def forward(self: __torch__.Norm, x: Tensor) -> Tensor:
          return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training, 0.10000000000000001, 1.0000000000000001e-05, False)
      class Affine(Module):
        __parameters__ = ["weight", "bias", ]
        __buffers__ = []
        training : bool
        weight : Tensor
        bias : Tensor
      """;

  private TinyScript() {}

  /** Tensors with values of this seed, in the module's order. */
  static List<TestTensor> tensors(long seed) {
    List<TestTensor> tensors = new ArrayList<>();
    tensors.add(random("unused", seed, 2));
    tensors.add(random("conv.weight", seed + 1, CHANNELS, 1, KERNEL, KERNEL));
    tensors.add(random("conv.bias", seed + 2, CHANNELS));
    tensors.add(random("bn.weight", seed + 3, CHANNELS));
    tensors.add(random("bn.bias", seed + 4, CHANNELS));
    tensors.add(random("bn.running_mean", seed + 5, CHANNELS));
    tensors.add(TestTensors.f32("bn.running_var", Shape.of(CHANNELS), 0.5f + seed, 1.5f));
    tensors.add(TestTensors.i64("bn.num_batches_tracked", Shape.of(), seed));
    tensors.add(random("fc.weight", seed + 6, CLASSES, CHANNELS * OUT * OUT));
    tensors.add(random("fc.bias", seed + 7, CLASSES));
    return tensors;
  }

  /** Of the size of trained weights: those of TestTensors would leave relu dead. */
  private static TestTensor random(String name, long seed, long... sizes) {
    SplittableRandom random = new SplittableRandom(seed);
    Shape shape = Shape.of(sizes);
    float[] values = new float[(int) shape.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian(0.2, 0.7);
    }
    return TestTensors.f32(name, shape, values);
  }

  static Path write(Path file, List<TestTensor> tensors) {
    return write(file, tensors, "Tensor", LOGITS);
  }

  /**
   * @param type of what forward returns
   * @param end of forward
   */
  static Path write(Path file, List<TestTensor> tensors, String type, String end) {
    return writeForward(file, tensors, type, FEATURES + end);
  }

  /** A module whose forward has this body alone. */
  static Path writeForward(Path file, List<TestTensor> tensors, String type, String body) {
    TestTorch torch = TestTorch.of(tensors);
    PickleAssembler pickle = PickleAssembler.start();
    module(pickle, "Net");
    put(pickle, torch, tensors, "");
    for (String name : List.of("conv", "bn", "fc")) {
      pickle.text(name);
      module(pickle, name.equals("bn") ? "Norm" : "Affine");
      put(pickle, torch, tensors, name + ".");
      pickle.ops("ub");
    }
    TestZip zip = TestTorch.head(pickle.ops("ub").stop());
    zip.stored(
        TestTorch.FOLDER + "code/__torch__.py",
        CODE.replace("RESULT", type).replace("BODY\n", body));
    zip.stored(TestTorch.FOLDER + "constants.pkl", PickleAssembler.start().ops(")").stop());
    return TestCheckpoints.write(file, torch.addStorages(zip).bytes());
  }

  private static void module(PickleAssembler pickle, String type) {
    pickle.global("__torch__", type).ops(")").raw(0x81).ops("}(").text("training").bool(true);
  }

  private static void put(
      PickleAssembler pickle, TestTorch torch, List<TestTensor> tensors, String prefix) {
    for (int i = 0; i < tensors.size(); i++) {
      String name = tensors.get(i).name();
      if (name.startsWith(prefix) && name.indexOf('.', prefix.length()) < 0) {
        torch.putTensor(pickle.text(name.substring(prefix.length())), i);
      }
    }
  }

  /** Values by name, for {@link #logits}. */
  static Map<String, double[]> values(List<TestTensor> tensors) {
    Map<String, double[]> values = new LinkedHashMap<>();
    for (TestTensor tensor : tensors) {
      if (tensor.dtype() == DType.F32) {
        FloatBuffer stored =
            ByteBuffer.wrap(tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        double[] wide = new double[stored.capacity()];
        for (int i = 0; i < wide.length; i++) {
          wide[i] = stored.get(i);
        }
        values.put(tensor.name(), wide);
      }
    }
    return values;
  }

  /** The forward pass in f64. */
  static double[] logits(Map<String, double[]> w, float[] x) {
    double[] features = new double[CHANNELS * OUT * OUT];
    for (int c = 0; c < CHANNELS; c++) {
      double scale = at(w, "bn.weight", c) / Math.sqrt(at(w, "bn.running_var", c) + EPSILON);
      for (int i = 0; i < OUT; i++) {
        for (int j = 0; j < OUT; j++) {
          double y = at(w, "conv.bias", c);
          for (int k = 0; k < KERNEL * KERNEL; k++) {
            int row = i + k / KERNEL;
            y += at(w, "conv.weight", c * KERNEL * KERNEL + k) * x[row * SIDE + j + k % KERNEL];
          }
          y = (y - at(w, "bn.running_mean", c)) * scale + at(w, "bn.bias", c);
          features[(c * OUT + i) * OUT + j] = Math.max(0, y);
        }
      }
    }
    double[] logits = new double[CLASSES];
    for (int k = 0; k < CLASSES; k++) {
      logits[k] = at(w, "fc.bias", k);
      for (int f = 0; f < features.length; f++) {
        logits[k] += at(w, "fc.weight", k * features.length + f) * features[f];
      }
    }
    return logits;
  }

  private static double at(Map<String, double[]> values, String name, int index) {
    return values.getOrDefault(name, new double[0])[index];
  }
}
