/** What a method of merging is, and what it says of itself. */
@NullMarked
package dev.smelt.merge.method;

import org.jspecify.annotations.NullMarked;
