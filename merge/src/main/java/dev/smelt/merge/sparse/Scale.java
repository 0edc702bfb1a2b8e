package dev.smelt.merge.sparse;

/** Σ|δ| of a whole change beside that of what is kept of it. */
final class Scale {

  private Scale() {}

  /** 1 where nothing is kept that is not 0. */
  static double of(Changes changes, Keep keep) {
    double[] sizes = new double[(int) Math.min(Largest.CHUNK, changes.elements())];
    double all = 0;
    double kept = 0;
    for (long at = 0; at < changes.elements(); at += sizes.length) {
      int count = (int) Math.min(sizes.length, changes.elements() - at);
      changes.read(at, count, sizes);
      double[] factors = sizes.clone();
      keep.factors(at, count, factors);
      for (int k = 0; k < count; k++) {
        all += sizes[k];
        kept += factors[k] * sizes[k];
      }
    }
    double scale = all / kept;
    return kept > 0 && Double.isFinite(scale) ? scale : 1;
  }
}
