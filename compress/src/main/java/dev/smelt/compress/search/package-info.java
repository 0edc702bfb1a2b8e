/** How far compression may go before the loss rises too much. */
@NullMarked
package dev.smelt.compress.search;

import org.jspecify.annotations.NullMarked;
