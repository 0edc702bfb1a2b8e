/** smelt.json: what was done to a checkpoint, from what, and how well. */
@NullMarked
package dev.smelt.formats.manifest;

import org.jspecify.annotations.NullMarked;
