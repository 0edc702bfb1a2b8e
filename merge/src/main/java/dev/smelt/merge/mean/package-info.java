/** Methods that take each element by itself: means and their kin. */
@NullMarked
package dev.smelt.merge.mean;

import org.jspecify.annotations.NullMarked;
