package dev.smelt.compress.cluster;

import dev.smelt.compress.testing.Plain;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Blocks with one number of rows, in plain arrays. */
record Family(List<double[][]> blocks) {

  /** A block in memory. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Held(double[][] values) implements Block {
    @Override
    public int rows() {
      return values.length;
    }

    @Override
    public int columns() {
      return values[0].length;
    }

    @Override
    public Matrix load(LinearAlgebra algebra) {
      return algebra.matrix(rows(), columns(), Plain.flatten(values));
    }
  }

  /**
   * Of all kinds: narrow and wide, of full and of low rank, near a common subspace and not,
   * repeated, tiny and huge, zero.
   */
  static Family random(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int rows = random.nextInt(3, 13);
    int count = random.nextInt(2, 7);
    double scale = Math.pow(10, random.nextInt(5) * 4 - 8);
    double[][] common = Plain.random(rows, random.nextInt(1, rows + 1), random.nextLong());
    List<double[][]> blocks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int columns = random.nextInt(1, 16);
      double own = scale * Math.pow(10, random.nextInt(3) - 1);
      if (i > 0 && random.nextInt(6) == 0) {
        blocks.add(blocks.getLast());
        continue;
      }
      double[][] block =
          switch (random.nextInt(5)) {
            case 0 -> Plain.random(rows, columns, random.nextLong());
            case 1 -> Plain.ofRank(rows, columns, 1, random.nextLong());
            case 2 -> new double[rows][columns];
            default -> {
              double[][] weights = Plain.random(common[0].length, columns, random.nextLong());
              double[][] noise = Plain.random(rows, columns, random.nextLong());
              yield Plain.add(Plain.multiply(common, weights), 0.05, noise);
            }
          };
      blocks.add(Plain.scale(block, own));
    }
    return new Family(blocks);
  }

  /**
   * Blocks in planted subspaces, with noise.
   *
   * @param noise of the norm of the rest
   */
  static Family planted(
      int subspaces, int count, int rows, int columns, int rank, double noise, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<double[][]> bases = new ArrayList<>();
    for (int i = 0; i < subspaces; i++) {
      bases.add(Plain.random(rows, rank, random.nextLong()));
    }
    List<double[][]> blocks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double[][] weights = Plain.random(rank, columns, random.nextLong());
      double[][] block = Plain.multiply(bases.get(i % subspaces), weights);
      double[][] rest = Plain.random(rows, columns, random.nextLong());
      double share = noise * Plain.frobenius(block) / Plain.frobenius(rest);
      blocks.add(Plain.add(block, share, rest));
    }
    return new Family(blocks);
  }

  List<Block> asBlocks() {
    return blocks.stream().<Block>map(Held::new).toList();
  }

  int rows() {
    return blocks.getFirst().length;
  }

  /** [A_1 … A_k] of some of them. */
  double[][] joined(List<Integer> members) {
    int columns = members.stream().mapToInt(i -> blocks.get(i)[0].length).sum();
    double[][] joined = new double[rows()][columns];
    for (int row = 0; row < rows(); row++) {
      int at = 0;
      for (int member : members) {
        double[] values = blocks.get(member)[row];
        System.arraycopy(values, 0, joined[row], at, values.length);
        at += values.length;
      }
    }
    return joined;
  }

  /** e_r² of some of them by a full SVD. */
  double squaredError(List<Integer> members, int rank) {
    double tail = Plain.tail(Plain.singularValues(joined(members)), rank);
    return tail * tail;
  }

  double squaredNorm(List<Integer> members) {
    double norm = Plain.frobenius(joined(members));
    return norm * norm;
  }
}
