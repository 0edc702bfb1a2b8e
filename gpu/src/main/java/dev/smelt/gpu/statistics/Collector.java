package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.gradient.ParameterGradients;
import dev.smelt.gpu.gradient.Total;
import dev.smelt.gpu.statistics.Plan.Entry;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;

/** Adds what a forward or backward pass has found to the totals. */
final class Collector {

  private final Totals totals;
  private final ScriptFunctions functions;

  Collector(Totals totals, ScriptFunctions functions) {
    this.totals = totals;
    this.functions = functions;
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

  /**
   * Keeps hidden states at the sampled positions.
   *
   * @param hidden [B, T, width] before each block and behind the last
   */
  void add(NDManager manager, List<NDArray> hidden, Batch batch, PositionSample sample) {
    PositionSample.Part part = sample.in(batch, hidden.getFirst().getShape().get(1));
    if (part.rows().length == 0) {
      return;
    }
    for (int k = 0; k < hidden.size(); k++) {
      try (NDManager temporary = manager.newSubManager()) {
        NDArray places = temporary.create(part.places());
        NDArray states = functions.call(temporary, "rows_of", hidden.get(k), places);
        totals
            .total(totals.hidden().get(k))
            .addRows(temporary, functions, temporary.create(part.rows()), states);
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
      case INPUT_NORMS -> {
        if (newInputs) {
          gradients.addInputNorms(temporary, total);
        }
      }
      case CONTRIBUTION -> {
        if (newInputs) {
          gradients.addContributions(temporary, total);
        }
      }
      case ENTROPY -> throw new IllegalArgumentException(entry + " is of no parameter");
    }
  }
}
