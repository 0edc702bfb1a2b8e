package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Tape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** What runs of TorchScript modules are compared with. */
final class ScriptRuns {

  /** f32 of the engine against f64, on logits of the size of 1. */
  static final double TOLERANCE = 1e-5;

  /** What the module was saved with; the checkpoint differs in every tensor. */
  static final List<TestTensor> OWN = TinyScript.tensors(1);

  static final List<TestTensor> GIVEN = TinyScript.tensors(2);

  private ScriptRuns() {}

  static List<Example> examples(int count) {
    SplittableRandom random = new SplittableRandom(5);
    List<Example> examples = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      float[] values = new float[(int) TinyScript.INPUT.elements()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian(0.3, 1);
      }
      examples.add(
          new Example.Values(
              TinyScript.INPUT,
              (target, at) -> System.arraycopy(values, 0, target, at, values.length),
              n % TinyScript.CLASSES));
    }
    return examples;
  }

  static float[] input(Example example) {
    return Batch.of(0, List.of(example)).values().elements();
  }

  static float[] logits(Network network, Batch batch) {
    float[][] found = new float[1][];
    network
        .device()
        .step(
            "test",
            (NDManager manager) ->
                found[0] = network.model().logits(manager, batch, Tape.off()).toFloatArray());
    return found[0];
  }

  static void assertLogits(Network network, List<Example> examples, Map<String, double[]> weights) {
    float[] found = logits(network, Batch.of(0, examples));
    for (int n = 0; n < examples.size(); n++) {
      double[] expected = TinyScript.logits(weights, input(examples.get(n)));
      for (int k = 0; k < TinyScript.CLASSES; k++) {
        assertThat((double) found[n * TinyScript.CLASSES + k])
            .as("example %d, class %d", n, k)
            .isCloseTo(expected[k], within(TOLERANCE));
      }
    }
  }
}
