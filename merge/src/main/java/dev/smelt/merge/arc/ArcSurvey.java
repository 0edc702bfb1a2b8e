package dev.smelt.merge.arc;

import dev.smelt.merge.arc.Vectors.Layout;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import dev.smelt.merge.method.MergeMethod.Survey;
import dev.smelt.merge.method.Operands;
import java.util.BitSet;
import java.util.Optional;

/**
 * Finds how the vectors of a tensor are mixed: linear combinations whose coefficients depend on
 * nothing but their lengths and the angles between them.
 *
 * @param onBase whether they are differences to the first operand
 * @param straight for vectors whose angles say nothing
 */
record ArcSurvey(Vectors vectors, boolean onBase, Mixing mixing, ChunkKernel straight)
    implements Survey {

  /** The coefficients of k vectors. */
  @FunctionalInterface
  interface Mixing {

    /** None where the angles say nothing. */
    Optional<double[]> of(Angles angles);
  }

  @Override
  public ChunkKernel kernel(Operands tensor) {
    Layout layout = vectors.of(tensor);
    Products products = Products.of(tensor, layout, onBase);
    double[][] coefficients = new double[products.models()][layout.count()];
    BitSet mixed = new BitSet();
    for (int vector = 0; vector < layout.count(); vector++) {
      Optional<double[]> found = mixing.of(products.angles(vector));
      if (found.isPresent()) {
        mixed.set(vector);
        for (int i = 0; i < coefficients.length; i++) {
          coefficients[i][vector] = found.get()[i];
        }
      }
    }
    return mixed.isEmpty() ? straight : new Blend(layout, onBase, coefficients, mixed, straight);
  }
}
