/**
 * The vocabulary in which architectures are written. Internal to this module: DJL types appear in
 * its signatures.
 */
@NullMarked
package dev.smelt.gpu.layer;

import org.jspecify.annotations.NullMarked;
