package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.plain.PlainNetwork;
import dev.smelt.gpu.plain.TinyModel;
import java.nio.file.Path;
import java.util.List;

/** Holds the logits of networks against those of plain Java in f64. */
final class LogitAssertions {

  /** f32 against f64, relative to the largest logit of an example. */
  private static final double TOLERANCE = 1e-5;

  /** Far above the tolerance: what an option must change at least. */
  private static final double VISIBLE = 1e-3;

  private LogitAssertions() {}

  /** As {@link #assertLogits}, of an option that must not leave the last logits as they were. */
  static void assertChanged(
      Path folder, TinyModel before, TinyModel model, List<Example> examples) {
    double difference = 0;
    for (Example example : examples) {
      double[] old = PlainNetwork.logits(before, example)[TestData.length(example) - 1];
      double[] now = PlainNetwork.logits(model, example)[TestData.length(example) - 1];
      for (int i = 0; i < old.length; i++) {
        difference = Math.max(difference, Math.abs(old[i] - now[i]));
      }
    }
    assertThat(difference).isGreaterThan(VISIBLE);
    assertLogits(folder, model, examples);
  }

  static void assertLogits(Path folder, TinyModel model, List<Example> examples) {
    assertLogits(folder, model, model, examples);
  }

  /**
   * One by one and all in one padded batch, with a tape that records and without.
   *
   * @param stored is loaded
   * @param plain what it must compute
   */
  static void assertLogits(Path folder, TinyModel stored, TinyModel plain, List<Example> examples) {
    try (Checkpoint checkpoint = Checkpoint.open(stored.write(folder));
        Network network = Network.load(checkpoint, TestDevice.get())) {
      for (Example example : examples) {
        assertBatch(network, plain, List.of(example));
      }
      assertBatch(network, plain, examples);
      assertThat(network.unusedTensors()).isEmpty();
    }
  }

  private static void assertBatch(Network network, TinyModel plain, List<Example> examples) {
    assertBatch(network, plain, examples, Tape.off());
    assertBatch(network, plain, examples, Tape.recording());
  }

  private static void assertBatch(
      Network network, TinyModel plain, List<Example> examples, Tape tape) {
    try (NDManager manager = network.device().scope()) {
      NDArray logits = network.model().logits(manager, Batch.of(0, examples), tape);
      float[] found = logits.toFloatArray();
      int stride = found.length / examples.size();
      for (int b = 0; b < examples.size(); b++) {
        double[][] expected = PlainNetwork.logits(plain, examples.get(b));
        double largest = 0;
        for (double[] row : expected) {
          for (double value : row) {
            largest = Math.max(largest, Math.abs(value));
          }
        }
        assertThat(largest).isPositive();
        for (int t = 0; t < expected.length; t++) {
          for (int c = 0; c < expected[t].length; c++) {
            assertThat((double) found[b * stride + t * expected[t].length + c])
                .as("logit %d at %d of example %d of %d", c, t, b, examples.size())
                .isCloseTo(expected[t][c], within(TOLERANCE * largest));
          }
        }
      }
    }
  }
}
