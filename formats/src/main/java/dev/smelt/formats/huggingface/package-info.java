/** Checkpoints as Hugging Face folders: weights, shards, config and side files. */
@NullMarked
package dev.smelt.formats.huggingface;

import org.jspecify.annotations.NullMarked;
