/** The device and its linear algebra. */
@NullMarked
package dev.smelt.gpu.engine;

import org.jspecify.annotations.NullMarked;
