/** The safetensors file format. */
@NullMarked
package dev.smelt.formats.safetensors;

import org.jspecify.annotations.NullMarked;
