package dev.smelt.gpu.network;

import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Tape;
import java.util.ArrayList;
import java.util.List;

/** Logits of networks, for other rooms. */
public final class Logits {

  private Logits() {}

  /** Of one example at a time: [T · vocabulary], or [classes]. */
  public static List<float[]> of(Checkpoint checkpoint, List<Example> examples) {
    try (Network network = Network.load(checkpoint, TestDevice.get())) {
      List<float[]> logits = new ArrayList<>();
      for (Example example : examples) {
        try (NDManager manager = network.device().scope()) {
          logits.add(
              network
                  .model()
                  .logits(manager, Batch.of(0, List.of(example)), Tape.off())
                  .toFloatArray());
        }
      }
      return logits;
    }
  }
}
