/** Methods that look at tensors as vectors: the angles between them, and what lies on the arcs. */
@NullMarked
package dev.smelt.merge.arc;

import org.jspecify.annotations.NullMarked;
