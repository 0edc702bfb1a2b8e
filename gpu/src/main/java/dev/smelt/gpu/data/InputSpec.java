package dev.smelt.gpu.data;

import java.util.List;

/**
 * What a network takes, as far as data must know.
 *
 * @param task what it predicts
 * @param maxPositions longest sequence, in tokens
 * @param vocabularySize token ids are below it
 * @param labels names of the classes by index; empty for language modelling
 */
public record InputSpec(Task task, int maxPositions, int vocabularySize, List<String> labels) {

  public InputSpec {
    labels = List.copyOf(labels);
  }
}
