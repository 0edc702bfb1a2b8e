/** Floating-point types: bits to numbers and back, rounded once. */
@NullMarked
package dev.smelt.formats.codec;

import org.jspecify.annotations.NullMarked;
