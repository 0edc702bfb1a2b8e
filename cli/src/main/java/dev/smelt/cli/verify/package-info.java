/** Holding what was written against what its manifest says. */
@NullMarked
package dev.smelt.cli.verify;

import org.jspecify.annotations.NullMarked;
