package dev.smelt.merge.vocabulary;

/**
 * Where the rows of one model's matrices come from, once the model has another vocabulary. Row
 * {@code o} is row {@code row(o)} of model {@code model(o)}, or of no model: zeros, or the mean of
 * the rows that the models have that have the token.
 */
final class RowMap {

  static final int ZERO = -1;
  static final int MEAN = -2;

  /** A row of one of the models, or of none: {@link #ZERO}, {@link #MEAN}. */
  record Place(int model, int row) {}

  private final int self;
  private final int[] models;
  private final int[] rows;

  /**
   * @param self the model whose matrices these are
   */
  RowMap(int self, int[] models, int[] rows) {
    this.self = self;
    this.models = models.clone();
    this.rows = rows.clone();
  }

  int size() {
    return rows.length;
  }

  /** The model that row {@code o} comes from, {@link #ZERO} or {@link #MEAN}. */
  int model(int o) {
    return models[o];
  }

  int row(int o) {
    return rows[o];
  }

  /** The same with zeros for rows that are not the model's own. */
  RowMap ownOnly() {
    int[] own = models.clone();
    for (int o = 0; o < own.length; o++) {
      own[o] = own[o] == self ? self : ZERO;
    }
    return new RowMap(self, own, rows);
  }

  /** Whether the rows are the model's first ones, in order. */
  boolean isPrefix() {
    for (int o = 0; o < rows.length; o++) {
      if (models[o] != self || rows[o] != o) {
        return false;
      }
    }
    return true;
  }
}
