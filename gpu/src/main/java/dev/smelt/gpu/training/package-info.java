/** Training a few parameters of a network: what a compressed one needs to recover. */
@org.jspecify.annotations.NullMarked
package dev.smelt.gpu.training;
