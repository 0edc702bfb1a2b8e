/** What the names of a model's tensors mean. */
@NullMarked
package dev.smelt.formats.model;

import org.jspecify.annotations.NullMarked;
