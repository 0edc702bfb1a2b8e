package dev.smelt.merge.sparse;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** What a share comes to. */
final class Shares {

  private Shares() {}

  /** ⌊s·n⌋; of s as decimals have it, so that 0.29 of 100 are 29. */
  static long of(double share, long n) {
    return BigDecimal.valueOf(share)
        .multiply(BigDecimal.valueOf(n))
        .setScale(0, RoundingMode.FLOOR)
        .longValueExact();
  }
}
