package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.gradient.BatchGradients;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Autograd;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One forward pass of the longest example, to learn what a network does with its parameters and how
 * much memory an example takes.
 *
 * @param uses of each parameter, in the order of the forward pass
 * @param hidden shapes [1, T, width] of the hidden states before each block and behind the last
 * @param bytes about what an example takes: every array of the forward pass, which counts views
 *     twice, and as much again as the outputs of all layers where there will be gradients
 */
record Probe(SequencedMap<String, List<Use>> uses, List<Shape> hidden, long bytes) {

  Probe {
    hidden = List.copyOf(hidden);
  }

  /**
   * @param gradients whether backward passes will follow
   */
  static Probe of(Network network, Dataset dataset, boolean gradients) {
    Batch longest = dataset.batch(longest(dataset.examples()), 1);
    SequencedMap<String, List<Use>> uses = new LinkedHashMap<>();
    List<Shape> hidden = new ArrayList<>();
    AtomicLong bytes = new AtomicLong();
    network
        .device()
        .step(
            "forward pass",
            manager -> {
              Tape tape = Tape.recording();
              var _ = Autograd.recorded(() -> network.model().logits(manager, longest, tape));
              uses.putAll(BatchGradients.uses(tape));
              manager.getManagedArrays().forEach(array -> bytes.addAndGet(bytes(array)));
              tape.hidden().forEach(states -> hidden.add(states.getShape()));
              if (gradients) {
                tape.taps().forEach(tap -> bytes.addAndGet(bytes(tap.leaf())));
              }
            });
    return new Probe(uses, hidden, bytes.get());
  }

  private static long bytes(NDArray array) {
    return array.size() * array.getDataType().getNumOfBytes();
  }

  private static int longest(List<Example> examples) {
    int longest = 0;
    for (int i = 1; i < examples.size(); i++) {
      if (length(examples.get(i)) > length(examples.get(longest))) {
        longest = i;
      }
    }
    return longest;
  }

  private static int length(Example example) {
    return example instanceof Example.Sequence sequence ? sequence.length() : 1;
  }
}
