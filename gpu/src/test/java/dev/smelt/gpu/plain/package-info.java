/** Networks in plain Java and f64, written from the papers: the oracle of the tests. */
@NullMarked
package dev.smelt.gpu.plain;

import org.jspecify.annotations.NullMarked;
