/** One class per command: its options, its checks, its result. */
@NullMarked
package dev.smelt.cli.command;

import org.jspecify.annotations.NullMarked;
