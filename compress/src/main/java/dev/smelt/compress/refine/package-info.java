/** Factors found again on data, for the inputs that the compressed network really gives them. */
@NullMarked
package dev.smelt.compress.refine;

import org.jspecify.annotations.NullMarked;
