/** Text for terminals: tables that fit, numbers as people read them. */
@NullMarked
package dev.smelt.cli.text;

import org.jspecify.annotations.NullMarked;
