/**
 * From a backward pass to sums over the examples of a batch. Internal to this module: DJL types
 * appear in its signatures.
 */
@NullMarked
package dev.smelt.gpu.gradient;

import org.jspecify.annotations.NullMarked;
