package dev.smelt.formats.model;

/**
 * One of several matrices that are stored as one: below each other, or beside each other.
 *
 * @param name short, unique in its matrix: "q", "gate", "p0"
 * @param slice of the whole [out, in] that is this part's
 */
public record FusedPart(String name, Slice slice) {}
