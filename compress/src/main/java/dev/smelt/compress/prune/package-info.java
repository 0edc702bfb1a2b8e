/** Weights that become zero: which of them matter least, and in which patterns they may go. */
@NullMarked
package dev.smelt.compress.prune;

import org.jspecify.annotations.NullMarked;
