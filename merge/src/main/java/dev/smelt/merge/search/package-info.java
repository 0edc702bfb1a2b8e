/** Which weights to try. */
@NullMarked
package dev.smelt.merge.search;

import org.jspecify.annotations.NullMarked;
