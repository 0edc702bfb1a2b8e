/** Weights lowered where they matter more to data that are to be forgotten than to others. */
@NullMarked
package dev.smelt.compress.dampen;

import org.jspecify.annotations.NullMarked;
