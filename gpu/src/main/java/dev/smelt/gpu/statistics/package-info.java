/** What a model's gradients on data say about its parameters. */
@NullMarked
package dev.smelt.gpu.statistics;

import org.jspecify.annotations.NullMarked;
