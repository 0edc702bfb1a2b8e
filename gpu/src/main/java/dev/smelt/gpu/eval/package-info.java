/** Loss and accuracy of a network on data. */
@NullMarked
package dev.smelt.gpu.eval;

import org.jspecify.annotations.NullMarked;
