/** What a machine can do. */
@NullMarked
package dev.smelt.cli.doctor;

import org.jspecify.annotations.NullMarked;
