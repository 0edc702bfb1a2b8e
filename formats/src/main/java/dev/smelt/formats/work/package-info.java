/** Running many independent jobs on a few threads. */
@NullMarked
package dev.smelt.formats.work;

import org.jspecify.annotations.NullMarked;
