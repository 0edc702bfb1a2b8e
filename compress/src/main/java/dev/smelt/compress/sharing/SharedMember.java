package dev.smelt.compress.sharing;

import dev.smelt.formats.TensorView;

/**
 * A matrix in a cluster.
 *
 * @param coefficients the factor that is its own
 * @param errors as stored
 */
record SharedMember(Subject subject, TensorView coefficients, SharedErrors.OfMember errors) {}
