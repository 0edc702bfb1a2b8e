/** Models of different vocabularies brought to one, token by token. */
@NullMarked
package dev.smelt.merge.vocabulary;

import org.jspecify.annotations.NullMarked;
