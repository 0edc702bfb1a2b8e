/** One matrix as a product of two thin ones, close to it in a weighted norm, and how close. */
@NullMarked
package dev.smelt.compress.lowrank;

import org.jspecify.annotations.NullMarked;
