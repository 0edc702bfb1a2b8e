package dev.smelt.gpu.network;

import ai.djl.engine.EngineException;
import dev.smelt.gpu.layer.Model;
import java.util.List;
import java.util.Map;

/** Networks that run out of memory, as the engine reports it. */
public final class SmallMemory {

  private SmallMemory() {}

  /**
   * The network on a device that has no room for larger batches. Closing it closes the network.
   *
   * @param most examples that fit
   */
  public static Network of(Network network, int most) {
    Model model =
        (manager, batch, tape) -> {
          if (batch.size() > most) {
            throw new EngineException("CUDA out of memory");
          }
          return network.model().logits(manager, batch, tape);
        };
    return new Network(
        network.device(),
        network.device().scope(),
        new Built(model, network.input(), Map.of()),
        network.parameters().stream().map(info -> network.learned(info.name())).toList(),
        List.of(),
        List.of());
  }
}
