package dev.smelt.formats.torch;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The tensors of a TorchScript module.
 *
 * @param tensors parameters and buffers
 * @param parameters names of those that are parameters
 * @param metadata what else the module holds, for a person
 */
record ScriptTensors(
    List<StridedTensor> tensors, Set<String> parameters, Map<String, String> metadata) {

  ScriptTensors {
    tensors = List.copyOf(tensors);
    parameters = Set.copyOf(parameters);
  }

  TorchTensors asModel() {
    return new TorchTensors(tensors, metadata);
  }
}
