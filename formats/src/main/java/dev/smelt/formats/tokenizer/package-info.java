/** Vocabularies as they lie beside a model: which token has which id, and files that say so. */
@NullMarked
package dev.smelt.formats.tokenizer;

import org.jspecify.annotations.NullMarked;
