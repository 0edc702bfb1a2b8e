package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Squared gradients of a table that is only looked up. An example touches no more rows than it has
 * tokens, so gradients of whole tables are never formed: Δ is summed per pair of example and row,
 * then squared.
 *
 * @param rows which row of the table each pair is about [pairs]
 * @param squares [pairs, width]
 */
record LookupSums(NDArray rows, NDArray squares) {

  /**
   * @param temporary owns the result
   * @param delta Δ [B, T, width]
   */
  static LookupSums of(
      NDManager temporary, ScriptFunctions functions, Use.Lookup lookup, NDArray delta) {
    int length = Math.toIntExact(delta.getShape().get(1));
    long width = delta.getShape().get(2);
    int[] rows = lookup.rows();
    Map<Long, Integer> pairs = new LinkedHashMap<>();
    long[] pairOfToken = new long[rows.length];
    for (int i = 0; i < rows.length; i++) {
      long pair = (long) (i / length) << Integer.SIZE | rows[i];
      Integer index = pairs.putIfAbsent(pair, pairs.size());
      pairOfToken[i] = index == null ? pairs.size() - 1 : index;
    }
    long[] rowOfPair = pairs.keySet().stream().mapToLong(pair -> pair.intValue()).toArray();
    NDArray sums = temporary.zeros(new Shape(rowOfPair.length, width), DataType.FLOAT32);
    NDArray d = delta.reshape(rows.length, width);
    d.attach(temporary);
    functions.call(temporary, "index_add_in_place", sums, temporary.create(pairOfToken), d);
    return new LookupSums(temporary.create(rowOfPair), sums.square());
  }
}
