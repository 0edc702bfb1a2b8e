/** The command line: options in, exit codes and results out. */
@NullMarked
package dev.smelt.cli;

import org.jspecify.annotations.NullMarked;
