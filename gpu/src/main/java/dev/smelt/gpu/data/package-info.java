/** Text files turned into batches of token ids. */
@NullMarked
package dev.smelt.gpu.data;

import org.jspecify.annotations.NullMarked;
