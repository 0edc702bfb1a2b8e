package dev.smelt.compress.prune;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** What a share comes to. */
public final class Share {

  private Share() {}

  /** ⌊s·n⌋; of s as decimals have it, so that 0.29 of 100 are 29. */
  public static long of(double sparsity, long n) {
    return BigDecimal.valueOf(sparsity)
        .multiply(BigDecimal.valueOf(n))
        .setScale(0, RoundingMode.FLOOR)
        .longValueExact();
  }
}
