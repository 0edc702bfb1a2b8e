/** Compressed checkpoints back into plain dense ones. */
@NullMarked
package dev.smelt.compress.expand;

import org.jspecify.annotations.NullMarked;
