/** The matrices of a checkpoint that methods work on, and what takes their place until written. */
@NullMarked
package dev.smelt.compress.layer;

import org.jspecify.annotations.NullMarked;
