/** Matrices into products of two thin ones: metrics, rank policies, factors and certificates. */
@NullMarked
package dev.smelt.compress.factorize;

import org.jspecify.annotations.NullMarked;
