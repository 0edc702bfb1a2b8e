package dev.smelt.compress.lowrank;

import java.util.Optional;

/**
 * How matrices are to be decomposed.
 *
 * @param preferred the route tried first; by shape and rank when empty
 * @param tolerance how far the error may be above the least one of the rank, relative to it; a
 *     result that may be farther is computed again by a safer route
 */
public record RouteOptions(Optional<Route> preferred, double tolerance) {

  public static final RouteOptions DEFAULT = new RouteOptions(Optional.empty(), 1e-4);

  public RouteOptions {
    if (!(tolerance > 0 && tolerance < 1)) {
      throw new IllegalArgumentException("expected a tolerance between 0 and 1: " + tolerance);
    }
  }

  public static RouteOptions first(Route route) {
    return new RouteOptions(Optional.of(route), DEFAULT.tolerance());
  }
}
