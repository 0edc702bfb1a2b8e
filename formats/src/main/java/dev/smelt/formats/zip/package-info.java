/** Zip archives, mapped: stored entries are read where they lie. */
@NullMarked
package dev.smelt.formats.zip;

import org.jspecify.annotations.NullMarked;
