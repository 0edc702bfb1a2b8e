package dev.smelt.gpu.network;

import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.layer.Model;
import java.util.Map;

/**
 * What an architecture makes of a config and weights.
 *
 * @param aliases tensors that are copies of a parameter, with the parameter's name
 */
record Built(Model model, InputSpec input, Map<String, String> aliases) {

  Built {
    aliases = Map.copyOf(aliases);
  }
}
