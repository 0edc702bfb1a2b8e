package dev.smelt.formats.model;

import java.util.Optional;

/** Which of a module's factors W = A·B is a basis that it shares with other modules. */
public sealed interface Sharing {

  /** Both factors are the module's own. */
  record None() implements Sharing {}

  /**
   * A is the basis; the module has its own coefficients B.
   *
   * @param basis [out, r]
   */
  record OfA(Basis basis) implements Sharing {}

  /**
   * B is the basis; the module has its own coefficients A.
   *
   * @param basis [r, in]
   */
  record OfB(Basis basis) implements Sharing {}

  /** The basis, where there is one. */
  default Optional<Basis> shared() {
    return switch (this) {
      case None _ -> Optional.empty();
      case OfA(Basis basis) -> Optional.of(basis);
      case OfB(Basis basis) -> Optional.of(basis);
    };
  }
}
