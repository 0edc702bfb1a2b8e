package dev.smelt.compress.refine;

import dev.smelt.formats.MismatchException;
import dev.smelt.gpu.statistics.PairedInputs;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A matrix W (out×in) of the original network, or some rows of one, that the compressed network
 * holds as factors A (out×r) and B (r×in).
 *
 * @param original the parameter of the original network that reads the same input
 * @param a the parameter that is A
 * @param b the parameter that is B
 * @param weight reads W, row-major, whatever the order in which it is stored
 * @param outputGram reads G = E δδᵀ, out×out row-major, δ the gradients of the outputs W x
 */
public record FactoredMatrix(
    String original,
    String a,
    String b,
    Supplier<double[]> weight,
    Optional<Supplier<double[]>> outputGram) {

  /**
   * @throws MismatchException when A or B is a basis, which is not this matrix's alone
   */
  public FactoredMatrix {
    PairedInputs.requireOwn(a);
    PairedInputs.requireOwn(b);
  }
}
