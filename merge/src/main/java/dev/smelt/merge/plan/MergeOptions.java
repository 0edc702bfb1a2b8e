package dev.smelt.merge.plan;

import dev.smelt.formats.DType;
import java.util.Optional;

/**
 * @param dtype of all merged tensors; absent: each as in the first model
 * @param heads what to do with heads the models do not share
 * @param anyModel accept statistics that were made from another model
 * @param allowNonFinite let NaN and infinities through instead of refusing them
 */
public record MergeOptions(
    Optional<DType> dtype, HeadPolicy heads, boolean anyModel, boolean allowNonFinite) {}
