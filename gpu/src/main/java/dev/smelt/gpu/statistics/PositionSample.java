package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.data.TokenBatch;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Some of the positions of a data set, spread evenly and known beforehand: of P positions that are
 * no padding, number p is one of S when ⌊(p+1)·S/P⌋ > ⌊p·S/P⌋. So which are taken depends neither
 * on the batch nor on where a run was continued.
 *
 * @param firsts number of the first position of each example
 * @param positions P
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
record PositionSample(long[] firsts, long positions) {

  /** All distances between this many points take a second; more change the entropy little. */
  static final int LARGEST = 4096;

  /**
   * @param length positions of an example that is no sequence
   * @throws UsageException where there are too few to have that many neighbours
   */
  static PositionSample of(Dataset dataset, long length, int neighbours) {
    List<Example> examples = dataset.examples();
    long[] firsts = new long[examples.size()];
    long positions = 0;
    for (int n = 0; n < firsts.length; n++) {
      firsts[n] = positions;
      positions += examples.get(n) instanceof Example.Sequence text ? text.length() : length;
    }
    if (positions <= neighbours) {
      throw new UsageException(
          "too few positions for their entropy: expected more than %d, found %d"
              .formatted(neighbours, positions),
          "give more data, or leave entropy out");
    }
    return new PositionSample(firsts, positions);
  }

  /** S, all where there are fewer. */
  int size() {
    return (int) Math.min(LARGEST, positions);
  }

  /**
   * What a batch has of the sample.
   *
   * @param places in [B, T], row-major
   * @param rows of the sample, one for each place
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Part(long[] places, long[] rows) {}

  /**
   * @param length T
   */
  Part in(Batch batch, long length) {
    LongStream.Builder places = LongStream.builder();
    LongStream.Builder rows = LongStream.builder();
    for (int b = 0; b < batch.size(); b++) {
      long first = firsts[Math.toIntExact(batch.first()) + b];
      long end = batch instanceof TokenBatch tokens ? tokens.lengths()[b] : length;
      for (long t = 0; t < end; t++) {
        long row = row(first + t);
        if (row(first + t + 1) > row) {
          places.add(b * length + t);
          rows.add(row);
        }
      }
    }
    return new Part(places.build().toArray(), rows.build().toArray());
  }

  /** ⌊p·S/P⌋; the product stays below 2⁶³ for any P below 2⁵¹. */
  private long row(long p) {
    return p * size() / positions;
  }
}
