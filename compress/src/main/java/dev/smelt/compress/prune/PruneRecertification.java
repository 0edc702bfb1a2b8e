package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/** What is said of pruned tensors, computed again from what was written. */
public final class PruneRecertification {

  private static final int PART = 1 << 16;

  private PruneRecertification() {}

  /** Whether no group of an output keeps more than it may. */
  public static boolean fits(Layer written, Pattern.Groups groups) {
    double[] w = written.toDoubles();
    for (int from = 0; from < w.length; from += groups.of()) {
      int kept = 0;
      for (int i = from; i < from + groups.of(); i++) {
        kept += w[i] == 0 ? 0 : 1;
      }
      if (kept > groups.kept()) {
        return false;
      }
    }
    return true;
  }

  /** ½Σ F w² over the weights that are zero now. */
  public static double predictedLoss(Layer original, TensorView written, FisherLoss losses) {
    Scores scores = losses.of(original);
    double[] lost = new double[(int) Math.min(PART, written.elements())];
    double[] now = new double[lost.length];
    double sum = 0;
    for (long first = 0; first < written.elements(); first += lost.length) {
      int count = (int) Math.min(lost.length, written.elements() - first);
      scores.read(first, count, lost);
      written.read(first, count, now);
      for (int i = 0; i < count; i++) {
        sum += now[i] == 0 ? lost[i] : 0;
      }
    }
    return sum;
  }

  /** ‖(W − Ŵ)H^½‖/‖WH^½‖. */
  public static double outputError(
      Layer original, TensorView written, InputGram gram, ComputeDevice device) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix before = original.load(algebra);
      Matrix after =
          algebra.load(Layer.asMatrix(written), before.precision(), original.transposed());
      return gram.root(algebra, gram.load(algebra, original), original)
          .relativeError(algebra, before, after);
    }
  }
}
