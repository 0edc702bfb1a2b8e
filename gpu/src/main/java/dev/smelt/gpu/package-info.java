@org.jspecify.annotations.NullMarked
package dev.smelt.gpu;
