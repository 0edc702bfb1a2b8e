/**
 * The engine itself. DJL types appear in the signatures of this package and of {@code layer} only;
 * both are internal to this module.
 */
@NullMarked
package dev.smelt.gpu.torch;

import org.jspecify.annotations.NullMarked;
