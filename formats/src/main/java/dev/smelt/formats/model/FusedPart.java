package dev.smelt.formats.model;

/**
 * One of several matrices that are stored as one, below each other.
 *
 * @param name short, unique in its matrix: "q", "gate"
 * @param rows of the whole [out, in] that are this part's
 */
public record FusedPart(String name, RowSet rows) {}
