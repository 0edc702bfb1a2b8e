/** What "close to W" means: norms that statistics of a model on data give to its matrices. */
@NullMarked
package dev.smelt.compress.metric;

import org.jspecify.annotations.NullMarked;
