/** Comparing checkpoints: tensor by tensor, and on data. */
@NullMarked
package dev.smelt.cli.diff;

import org.jspecify.annotations.NullMarked;
