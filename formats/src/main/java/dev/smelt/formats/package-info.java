/** What a checkpoint is on disk. */
@NullMarked
package dev.smelt.formats;

import org.jspecify.annotations.NullMarked;
