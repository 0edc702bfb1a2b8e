/** Several models in, one out: methods that combine the same tensor of each. */
@NullMarked
package dev.smelt.merge;

import org.jspecify.annotations.NullMarked;
