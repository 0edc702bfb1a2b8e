package dev.smelt.compress.layer;

import java.util.ArrayList;
import java.util.List;

/**
 * Weights of a tensor that are looked at in one job.
 *
 * @param tensor its place among the tensors
 * @param first a multiple of 64
 */
public record Piece(int tensor, long first, int count) {

  private static final int LENGTH = 1 << 22;

  /**
   * All weights of all tensors, in order.
   *
   * @param elements of each tensor
   */
  public static List<Piece> of(List<Long> elements) {
    List<Piece> pieces = new ArrayList<>();
    for (int tensor = 0; tensor < elements.size(); tensor++) {
      long all = elements.get(tensor);
      for (long first = 0; first < all; first += LENGTH) {
        pieces.add(new Piece(tensor, first, (int) Math.min(LENGTH, all - first)));
      }
    }
    return pieces;
  }
}
