package dev.smelt.formats.torch;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The model found in a file.
 *
 * @param metadata what else the file holds, for a person
 */
record TorchTensors(List<StridedTensor> tensors, Map<String, String> metadata) {

  /** Begins the keys of what is not part of the model. */
  static final String LEFT_OUT = "left out: ";

  TorchTensors {
    tensors = List.copyOf(tensors);
    metadata = Collections.unmodifiableMap(new TreeMap<>(metadata));
  }
}
