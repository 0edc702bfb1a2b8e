/** Hidden units, attention heads and blocks that are left out, so that tensors become smaller. */
@NullMarked
package dev.smelt.compress.structure;

import org.jspecify.annotations.NullMarked;
