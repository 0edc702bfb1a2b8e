package dev.smelt.gpu.engine;

/**
 * The weights of a layer, as Wᵀ [in, out], while some are taken from it, input after input, and
 * those of later inputs make up for them: without weight w of input i the weights of input j change
 * by −w·u_ij/u_ii. Frantar and Alistarh, "SparseGPT: massive language models can be accurately
 * pruned in one-shot", ICML 2023, arXiv 2301.00774, equation 5 and algorithm 1.
 */
public interface Elimination {

  /** Weights of inputs {@code from … to − 1} as they are now, row-major. */
  double[] weights(int from, int to);

  /**
   * Takes weights of inputs {@code from … to − 1}; those of the inputs up to {@code end} make up
   * for them now, later ones when they are {@link #carry carried} to them.
   *
   * @param gone for each weight of these inputs, row-major, 1 where it goes and 0 where it stays
   */
  void remove(int from, int to, int end, double[] gone);

  /** Lets inputs from {@code to} on make up for what was taken from {@code from … to − 1}. */
  void carry(int from, int to);

  /** Wᵀ as it is now. */
  Matrix weights();
}
