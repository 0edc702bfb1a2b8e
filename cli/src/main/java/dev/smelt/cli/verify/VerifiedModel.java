package dev.smelt.cli.verify;

import dev.smelt.compress.sharing.ZooModel;
import dev.smelt.formats.Checkpoint;

/**
 * A model and what was made of it.
 *
 * @param original with the metric that was used; its name is empty where there is one model
 */
public record VerifiedModel(ZooModel original, Checkpoint written) {

  /** The name of a module or tensor as manifests have it. */
  String qualified(String name) {
    return original.name().isEmpty() ? name : original.name() + "/" + name;
  }
}
