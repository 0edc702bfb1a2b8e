/** Code beside a factorised checkpoint, with which other programs load it. */
@NullMarked
package dev.smelt.compress.modeling;

import org.jspecify.annotations.NullMarked;
