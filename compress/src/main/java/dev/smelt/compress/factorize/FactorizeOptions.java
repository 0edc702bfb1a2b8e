package dev.smelt.compress.factorize;

import dev.smelt.formats.DType;
import java.util.Optional;

/**
 * @param grid ranks that may be chosen
 * @param dtype of everything written; absent: each tensor as it was
 */
public record FactorizeOptions(
    Metric metric, LayerSelection selection, RankGrid grid, Optional<DType> dtype) {}
