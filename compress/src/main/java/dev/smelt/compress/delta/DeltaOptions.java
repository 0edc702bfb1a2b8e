package dev.smelt.compress.delta;

import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.DType;
import dev.smelt.formats.model.NamePatterns;
import java.util.Optional;

/**
 * @param uniform one rank for all factors, filled up with zeros, as some loaders want it
 * @param selection which changes are kept at all; the others stay as in the base
 * @param dtype of factors; absent: as each tensor of the model
 * @param allowLarger write factors even where they take more elements than the change itself
 */
public record DeltaOptions(
    Metric metric,
    DeltaRank rank,
    boolean uniform,
    NamePatterns selection,
    Optional<DType> dtype,
    boolean allowLarger) {}
