/** Models whose matrices share bases: which may, in which norm, and how the result is stored. */
@NullMarked
package dev.smelt.compress.sharing;

import org.jspecify.annotations.NullMarked;
