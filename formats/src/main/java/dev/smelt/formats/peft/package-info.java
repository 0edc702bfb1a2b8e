/** Adapter folders as the library PEFT reads and writes them: low-rank changes to a base model. */
@NullMarked
package dev.smelt.formats.peft;

import org.jspecify.annotations.NullMarked;
