/** Matrices that share the basis of a concatenated SVD, under a promised error. */
@NullMarked
package dev.smelt.compress.cluster;

import org.jspecify.annotations.NullMarked;
