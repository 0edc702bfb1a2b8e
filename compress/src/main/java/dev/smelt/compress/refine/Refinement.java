package dev.smelt.compress.refine;

import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.PairedInputs;
import dev.smelt.gpu.statistics.PairedInputs.Grams;
import dev.smelt.gpu.statistics.PairedInputs.Pair;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Finds the factors of a compressed network anew, layer after layer in the order of the forward
 * pass. Each is fitted to give, for the inputs x̃ that the layers before it now leave it, the
 * outputs W x of the original network, so that errors do not add up ({@link LeastSquares#best}).
 * Ranks stay.
 *
 * <p>Layers that read the same input are fitted together; before the next ones, the inputs are
 * measured again. A second walk would find what the first has found: what a layer is fitted to
 * depends on the layers before it alone.
 */
public final class Refinement {

  private final Network compressed;
  private final ComputeDevice device;
  private final RefineOptions options;

  private Refinement(Network compressed, ComputeDevice device, RefineOptions options) {
    this.compressed = compressed;
    this.device = device;
    this.options = options;
  }

  /**
   * The new factors replace the old ones in {@code compressed}; {@link Network#values} reads them.
   *
   * @param compressed on {@code device}, as {@code original}
   * @param matrices in any order
   * @return in the order of the forward pass
   * @throws dev.smelt.formats.NotFoundException when a network has no such parameters
   * @throws MismatchException when factors and matrices do not fit
   */
  public static List<Refined> refine(
      Network original,
      Network compressed,
      Dataset data,
      List<FactoredMatrix> matrices,
      ComputeDevice device,
      RefineOptions options,
      Progress progress) {
    Map<Pair, FactoredMatrix> byPair = new LinkedHashMap<>();
    matrices.forEach(matrix -> byPair.put(new Pair(matrix.original(), matrix.b()), matrix));
    Refinement refinement = new Refinement(compressed, device, options);
    List<List<Pair>> stages = PairedInputs.stages(compressed, data, List.copyOf(byPair.keySet()));
    List<Refined> refined = new ArrayList<>();
    try (Progress.Task task = progress.begin("refining", matrices.size(), "matrices")) {
      for (List<Pair> stage : stages) {
        Map<Pair, Grams> grams =
            PairedInputs.collect(original, compressed, data, stage, options.batch(), Progress.NONE);
        for (Pair pair : stage) {
          FactoredMatrix matrix = Objects.requireNonNull(byPair.get(pair));
          refined.add(refinement.fit(matrix, Objects.requireNonNull(grams.get(pair))));
          task.advance(1);
        }
      }
    }
    return refined;
  }

  private Refined fit(FactoredMatrix matrix, Grams grams) {
    Shape a = compressed.info(matrix.a()).shape();
    Shape b = compressed.info(matrix.b()).shape();
    double[] weight = matrix.weight().get();
    int rank = Math.toIntExact(b.size(0));
    int out = Math.toIntExact(a.size(0));
    int in = grams.size();
    requireFitting(matrix, weight.length, a, b, in);
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      LeastSquares squares =
          new LeastSquares(
              algebra,
              algebra.matrix(out, in, weight),
              grams.gram(),
              grams.cross(),
              matrix.outputGram().map(Supplier::get),
              options.damping());
      Decomposition best = squares.best(rank);
      compressed.replace(matrix.a(), best.a().toFloats());
      compressed.replace(matrix.b(), best.b().toFloats());
      double tail = best.spectrum().tails()[rank];
      return new Refined(matrix, Math.sqrt(tail), squares.damping());
    }
  }

  /** Of a convolution, A is [out, r, 1, 1] and B [r, …]. */
  private static void requireFitting(FactoredMatrix matrix, int values, Shape a, Shape b, int in) {
    long out = a.size(0);
    long rank = b.size(0);
    boolean fits =
        a.elements() == out * rank
            && b.elements() == rank * in
            && values == out * in
            && rank <= Math.min(out, in);
    if (!fits) {
      throw new MismatchException(
          "factors do not fit the matrix that they stand for",
          matrix.a(),
          "found " + a + " and " + b + " for " + values + " values with inputs of size " + in,
          "was the model made from this original?");
    }
  }
}
