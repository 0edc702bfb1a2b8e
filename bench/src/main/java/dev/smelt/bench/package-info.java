/** Measurements: slow, on data the user names, never part of the tests. */
@NullMarked
package dev.smelt.bench;

import org.jspecify.annotations.NullMarked;
