/** Checkpoints as PyTorch saves them: zip, legacy and TorchScript. */
@NullMarked
package dev.smelt.formats.torch;

import org.jspecify.annotations.NullMarked;
