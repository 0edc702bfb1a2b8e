/** Built-in architectures, run from a checkpoint's tensors. */
@NullMarked
package dev.smelt.gpu.network;

import org.jspecify.annotations.NullMarked;
