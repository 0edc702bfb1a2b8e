package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;
import java.util.Locale;

/** Which labels y define the gradients g = ∂ log p(y|x) / ∂θ of a Fisher estimate. */
public enum Labels {
  /** The labels in the data, or the next tokens. */
  EMPIRICAL,
  /** Labels drawn from the network's own prediction p(y|x): unbiased for the true Fisher. */
  SAMPLED,
  /** The exact expectation Σ_c p(c|x) g_c ⊙ g_c, one backward pass per class. */
  EXPECTED;

  /**
   * Reads {@code empirical}, {@code sampled} or {@code expected}.
   *
   * @throws UsageException on anything else
   */
  public static Labels parse(String text) {
    for (Labels labels : values()) {
      if (labels.toString().equals(text)) {
        return labels;
      }
    }
    throw new UsageException("no such labels '" + text + "'", "use empirical, sampled or expected");
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
