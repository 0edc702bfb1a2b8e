/** The one door to the disk. */
@NullMarked
package dev.smelt.formats.storage;

import org.jspecify.annotations.NullMarked;
