package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.gradient.ParameterGradients;
import dev.smelt.gpu.gradient.Total;
import dev.smelt.gpu.statistics.Plan.Entry;
import java.util.List;

/** Adds what a backward pass has found to the totals. */
final class Collector {

  private final Totals totals;

  Collector(Totals totals) {
    this.totals = totals;
  }

  /**
   * @param manager of the batch; what is made for one parameter is freed before the next
   * @param newInputs whether the inputs of layers have not been counted yet: several backward
   *     passes may follow one forward pass
   */
  void add(NDManager manager, List<ParameterGradients> found, boolean newInputs) {
    for (ParameterGradients gradients : found) {
      for (Entry entry : totals.of(gradients.name())) {
        try (NDManager temporary = manager.newSubManager()) {
          add(temporary, gradients, entry, newInputs);
        }
      }
    }
  }

  private void add(
      NDManager temporary, ParameterGradients gradients, Entry entry, boolean newInputs) {
    Total total = totals.total(entry);
    switch (entry.statistic()) {
      case DIAG -> gradients.addSquares(temporary, total);
      case ROWS -> gradients.addRows(temporary, total);
      case COLS -> gradients.addColumns(temporary, total);
      case GRAD_GRAM -> gradients.addOutputGram(temporary, total);
      case MEAN_GRADIENT -> gradients.addSum(temporary, total);
      case INPUT_GRAM -> {
        if (newInputs) {
          gradients.addInputGram(temporary, total);
        }
      }
    }
  }
}
