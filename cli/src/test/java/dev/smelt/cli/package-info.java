@NullMarked
package dev.smelt.cli;

import org.jspecify.annotations.NullMarked;
