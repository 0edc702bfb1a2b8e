/** Recipes: what is to be merged with what, as written in YAML. */
@NullMarked
package dev.smelt.merge.recipe;

import org.jspecify.annotations.NullMarked;
