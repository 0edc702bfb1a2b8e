/** How the singular values of a checkpoint's matrices fall. */
@NullMarked
package dev.smelt.compress.spectrum;

import org.jspecify.annotations.NullMarked;
