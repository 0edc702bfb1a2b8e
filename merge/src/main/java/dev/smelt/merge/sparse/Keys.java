package dev.smelt.merge.sparse;

/** A number for each element of a tensor by which elements are chosen; none is negative or NaN. */
interface Keys {

  long elements();

  /** Of elements {@code first … first+count-1}, into {@code keys[0 … count-1]}. */
  void read(long first, int count, double[] keys);
}
