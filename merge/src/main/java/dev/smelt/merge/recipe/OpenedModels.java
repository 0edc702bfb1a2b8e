package dev.smelt.merge.recipe;

import dev.smelt.merge.plan.MergeInput;

/** The models of a stage, opened. */
@FunctionalInterface
public interface OpenedModels {

  /** The model of a source, with the statistics that the source names. */
  MergeInput of(Source source);
}
