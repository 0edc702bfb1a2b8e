/** Pickles read as data: what they would build is described, nothing is ever executed. */
@NullMarked
package dev.smelt.formats.pickle;

import org.jspecify.annotations.NullMarked;
