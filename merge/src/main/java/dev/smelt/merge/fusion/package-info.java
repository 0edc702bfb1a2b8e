/** Merging by importance: a model's values where they matter most, its base's elsewhere. */
@NullMarked
package dev.smelt.merge.fusion;

import org.jspecify.annotations.NullMarked;
