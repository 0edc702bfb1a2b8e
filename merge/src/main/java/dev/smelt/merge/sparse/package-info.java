/** Methods that thin out what models changed of a base before they add it up. */
@NullMarked
package dev.smelt.merge.sparse;

import org.jspecify.annotations.NullMarked;
