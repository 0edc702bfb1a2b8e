/** Packed tensors: a bit for each element, and the values of those that are not zero. */
@NullMarked
package dev.smelt.formats.packed;

import org.jspecify.annotations.NullMarked;
