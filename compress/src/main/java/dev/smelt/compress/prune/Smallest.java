package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Piece;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.List;

/**
 * Marks the weights of several tensors that have the smallest scores: exactly as many as are asked
 * for, of equal ones those that come first, whatever the number of threads. The score at which to
 * cut is found by counting, digit by digit, so that nothing is sorted or kept.
 */
final class Smallest {

  private final List<ScoreKeys> tensors;
  private final int threads;
  private final List<Piece> pieces;

  /**
   * Where to cut.
   *
   * @param limit keys below it go
   * @param ties how many of those that equal it go as well
   */
  private record Cut(long limit, long ties) {}

  Smallest(List<ScoreKeys> tensors, int threads) {
    this.tensors = tensors;
    this.threads = threads;
    this.pieces = Piece.of(tensors.stream().map(ScoreKeys::elements).toList());
  }

  /**
   * @param count how many go, of all tensors together
   * @return a mask for each tensor
   */
  List<Mask> mark(long count, Scratch scratch) {
    List<Mask.Builder> masks =
        tensors.stream().map(keys -> new Mask.Builder(scratch, keys.elements())).toList();
    Cut cut = cut(count);
    long[] ties = ties(cut);
    List<Workers.Job> jobs = new ArrayList<>();
    for (int i = 0; i < pieces.size(); i++) {
      Piece piece = pieces.get(i);
      long ofPiece = ties[i];
      jobs.add(
          () ->
              tensors
                  .get(piece.tensor())
                  .mark(
                      piece.first(),
                      piece.count(),
                      cut.limit(),
                      ofPiece,
                      masks.get(piece.tensor())));
    }
    Workers.run(threads, jobs);
    return masks.stream().map(Mask.Builder::build).toList();
  }

  /** Also where nothing goes, since it finds what is no finite number. */
  private Cut cut(long count) {
    int shift = ScoreKeys.BITS;
    long prefix = 0;
    long need = count;
    while (true) {
      // The first digit is the odd one, so that all others are whole.
      int digit = (shift - 1) % ScoreKeys.DIGIT_BITS + 1;
      shift -= digit;
      long[] bins = count(shift, prefix);
      int bin = 0;
      while (need > bins[bin]) {
        need -= bins[bin++];
      }
      prefix = (prefix << digit) | bin;
      if (need == bins[bin]) {
        return new Cut((prefix + 1) << shift, 0);
      }
      if (need == 0) {
        return new Cut(prefix << shift, 0);
      }
      if (shift == 0) {
        return new Cut(prefix, need);
      }
    }
  }

  private long[] count(int shift, long prefix) {
    List<Integer> workers = new ArrayList<>();
    for (int worker = 0; worker < Math.clamp(pieces.size(), 1, threads); worker++) {
      workers.add(worker);
    }
    List<long[]> counts =
        Workers.map(
            threads,
            workers,
            worker -> {
              long[] bins = new long[1 << ScoreKeys.DIGIT_BITS];
              for (int i = worker; i < pieces.size(); i += workers.size()) {
                Piece piece = pieces.get(i);
                tensors
                    .get(piece.tensor())
                    .count(piece.first(), piece.count(), shift, prefix, bins);
              }
              return bins;
            });
    long[] all = counts.getFirst();
    for (long[] other : counts.subList(1, counts.size())) {
      for (int bin = 0; bin < all.length; bin++) {
        all[bin] += other[bin];
      }
    }
    return all;
  }

  /** How many of the ties go in each piece. */
  private long[] ties(Cut cut) {
    long[] ties = new long[pieces.size()];
    if (cut.ties() == 0) {
      return ties;
    }
    List<Integer> found =
        Workers.map(
            threads,
            pieces,
            piece ->
                tensors.get(piece.tensor()).countEqual(piece.first(), piece.count(), cut.limit()));
    long left = cut.ties();
    for (int i = 0; i < ties.length; i++) {
      ties[i] = Math.min(left, found.get(i));
      left -= ties[i];
    }
    return ties;
  }
}
