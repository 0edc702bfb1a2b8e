/** Texts, images and tensors turned into batches for networks. */
@NullMarked
package dev.smelt.gpu.data;

import org.jspecify.annotations.NullMarked;
