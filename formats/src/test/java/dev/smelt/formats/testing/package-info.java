/** Checkpoints made by hand for tests, without the code under test. */
@NullMarked
package dev.smelt.formats.testing;

import org.jspecify.annotations.NullMarked;
