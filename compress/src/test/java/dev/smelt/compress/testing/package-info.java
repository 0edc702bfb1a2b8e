/** What the tests of compression methods share: a device, plain matrix arithmetic, short runs. */
@NullMarked
package dev.smelt.compress.testing;

import org.jspecify.annotations.NullMarked;
