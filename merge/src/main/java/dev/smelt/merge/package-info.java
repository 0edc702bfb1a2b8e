@org.jspecify.annotations.NullMarked
package dev.smelt.merge;
