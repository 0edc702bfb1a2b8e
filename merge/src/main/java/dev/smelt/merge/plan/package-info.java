/** What will be merged with what: models matched tensor by tensor, before any is read. */
@NullMarked
package dev.smelt.merge.plan;

import org.jspecify.annotations.NullMarked;
