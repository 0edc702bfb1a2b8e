package dev.smelt.merge.plan;

import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Optional;

/**
 * A model to be merged.
 *
 * @param sha256 {@link dev.smelt.formats.manifest.ContentHash} of the checkpoint
 * @param statistics of it, for methods that use them
 */
public record MergeInput(Checkpoint checkpoint, String sha256, Optional<Statistics> statistics) {}
