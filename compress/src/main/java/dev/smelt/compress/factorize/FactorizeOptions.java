package dev.smelt.compress.factorize;

import dev.smelt.formats.DType;
import java.util.Optional;

/**
 * @param dtype of everything written; absent: each tensor as it was
 * @param allowLarger write factors even where they take more bytes than the matrix
 */
public record FactorizeOptions(
    Metric metric,
    RankPolicy policy,
    LayerSelection selection,
    Optional<DType> dtype,
    boolean allowLarger) {}
