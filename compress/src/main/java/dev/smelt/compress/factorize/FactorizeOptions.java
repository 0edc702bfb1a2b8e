package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.lowrank.RouteOptions;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.DType;
import java.util.Optional;

/**
 * @param grid ranks that may be chosen
 * @param routes how matrices are decomposed
 * @param dtype of everything written; absent: each tensor as it was
 */
public record FactorizeOptions(
    Metric metric,
    LayerSelection selection,
    RankGrid grid,
    RouteOptions routes,
    Optional<DType> dtype) {}
