package dev.smelt.compress.sharing;

import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.Checkpoint;

/**
 * One of the models that are clustered.
 *
 * @param name by which it is told apart from the others; its folder's, where there are several
 * @param metric in which errors of its matrices count, of one kind for all models
 */
public record ZooModel(String name, Checkpoint checkpoint, Metric metric) {}
