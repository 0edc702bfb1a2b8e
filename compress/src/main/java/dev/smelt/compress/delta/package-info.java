/** What fine-tuning changed, as a low-rank change to a base, and back. */
@NullMarked
package dev.smelt.compress.delta;

import org.jspecify.annotations.NullMarked;
