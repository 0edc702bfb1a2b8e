package dev.smelt.bench;

import dev.smelt.compress.cluster.Block;
import dev.smelt.compress.cluster.Cluster;
import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.cluster.Clusterer;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/**
 * Clustering of blocks that lie near planted subspaces: every algorithm beside the published loop
 * with a dense SVD of the whole cluster for each block that is offered.
 */
final class ClusterBench {

  private static final int SUBSPACES = 40;
  private static final int DIMENSIONS = 10;
  private static final double NOISE = 0.05;

  /**
   * A block in memory.
   *
   * @param values row-major
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Held(int rows, int columns, float[] values) implements Block {
    @Override
    public Matrix load(LinearAlgebra algebra) {
      return algebra.matrix(rows, columns, values);
    }
  }

  private final ComputeDevice device;
  private final PrintStream out;

  private ClusterBench(ComputeDevice device, PrintStream out) {
    this.device = device;
    this.out = out;
  }

  static void run(PrintStream out) {
    int threads = Runtime.getRuntime().availableProcessors();
    try (ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, threads)) {
      ClusterBench bench = new ClusterBench(device, out);
      bench.large(planted(2000, 768, 64), 64, 0.1);
      out.println();
      bench.beside(planted(2000, 64, 20), 20, 0.1);
    }
  }

  /** B_i C + noise, i one of the subspaces in turn, columns of norm about 1. */
  private static List<Block> planted(int count, int rows, int columns) {
    SplittableRandom random = new SplittableRandom(1);
    List<float[]> bases = new ArrayList<>();
    for (int i = 0; i < SUBSPACES; i++) {
      bases.add(normal(random, rows * DIMENSIONS));
    }
    List<Block> blocks = new ArrayList<>();
    for (int block = 0; block < count; block++) {
      float[] basis = bases.get(block % SUBSPACES);
      float[] weights = normal(random, DIMENSIONS * columns);
      float[] values = normal(random, rows * columns);
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
          double sum = 0;
          for (int k = 0; k < DIMENSIONS; k++) {
            sum += basis[i * DIMENSIONS + k] * weights[k * columns + j];
          }
          values[i * columns + j] =
              (float) (sum / Math.sqrt(DIMENSIONS) + NOISE * values[i * columns + j]);
        }
      }
      blocks.add(new Held(rows, columns, values));
    }
    return blocks;
  }

  private static float[] normal(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private void beside(List<Block> blocks, int rank, double maxError) {
    out.printf(
        "| %,d blocks of %dx%d, r = %d, ε = %s | clusters | blocks in them | elements / dense |"
            + " seconds | times as fast |%n",
        blocks.size(), blocks.getFirst().rows(), blocks.getFirst().columns(), rank, maxError);
    out.println("|---|---|---|---|---|---|");
    double slow =
        row("published loop, dense SVD", blocks, 0, () -> published(blocks, rank, maxError));
    for (Algorithm algorithm : Algorithm.values()) {
      if (algorithm != Algorithm.EXACT) {
        ClusterOptions options = ClusterOptions.of(algorithm, rank, maxError);
        row(algorithm.toString(), blocks, slow, () -> ours(blocks, options));
      }
    }
    List<Block> part = blocks.subList(0, 200);
    ClusterOptions exact = ClusterOptions.of(Algorithm.EXACT, rank, maxError);
    row("exact, 200 of them", part, 0, () -> ours(part, exact));
    ClusterOptions incremental = ClusterOptions.of(Algorithm.INCREMENTAL, rank, maxError);
    row("incremental, the same 200", part, 0, () -> ours(part, incremental));
  }

  private void large(List<Block> blocks, int rank, double maxError) {
    out.printf(
        "| %,d blocks of %dx%d, r = %d, ε = %s | clusters | blocks in them | elements / dense |"
            + " seconds | |%n",
        blocks.size(), blocks.getFirst().rows(), blocks.getFirst().columns(), rank, maxError);
    out.println("|---|---|---|---|---|---|");
    ClusterOptions options = ClusterOptions.of(Algorithm.INCREMENTAL, rank, maxError);
    row("incremental", blocks, 0, () -> ours(blocks, options));
  }

  private double row(
      String name, List<Block> blocks, double baseline, Supplier<List<Cluster>> work) {
    long start = System.nanoTime();
    List<Cluster> clusters = work.get();
    double seconds = (System.nanoTime() - start) * 1e-9;
    int members = clusters.stream().mapToInt(one -> one.members().size()).sum();
    out.printf(
        "| %s | %d | %d | %.4f | %.1f | %s |%n",
        name,
        clusters.size(),
        members,
        ratio(blocks, clusters),
        seconds,
        baseline > 0 ? "%.1f".formatted(baseline / seconds) : "");
    return seconds;
  }

  /** Blocks in no cluster stay dense here. */
  private static double ratio(List<Block> blocks, List<Cluster> clusters) {
    long dense = 0;
    for (Block block : blocks) {
      dense += (long) block.rows() * block.columns();
    }
    long saved = 0;
    for (Cluster cluster : clusters) {
      long rows = blocks.getFirst().rows();
      long columns = cluster.members().stream().mapToLong(i -> blocks.get(i).columns()).sum();
      saved += rows * columns - cluster.rank() * (rows + columns);
    }
    return 1 - (double) saved / dense;
  }

  private List<Cluster> ours(List<Block> blocks, ClusterOptions options) {
    return new Clusterer(device, options).cluster(blocks, Progress.NONE);
  }

  /** By falling norm a head, by rising norm all others; each is tried with a full SVD. */
  private List<Cluster> published(List<Block> blocks, int rank, double maxError) {
    List<Integer> rest = new ArrayList<>();
    double[] norms = new double[blocks.size()];
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      for (int i = 0; i < norms.length; i++) {
        norms[i] = algebra.frobenius(blocks.get(i).load(algebra));
        rest.add(i);
      }
    }
    rest.sort(Comparator.comparingDouble((Integer i) -> norms[i]).reversed());
    List<Cluster> clusters = new ArrayList<>();
    int failures = 0;
    while (!rest.isEmpty() && failures < ClusterOptions.PATIENCE) {
      List<Integer> cluster = new ArrayList<>(List.of(rest.removeFirst()));
      double error = 0;
      for (int offered : rest.reversed()) {
        List<Integer> tried = new ArrayList<>(cluster);
        tried.add(offered);
        double found = relativeError(blocks, tried, rank);
        if (found <= maxError) {
          cluster.add(offered);
          error = found;
        }
      }
      rest.removeAll(cluster);
      failures = cluster.size() > 1 ? 0 : failures + 1;
      if (cluster.size() > 1) {
        clusters.add(new Cluster(cluster, rank, error, new Cluster.Bracket(error, error)));
      }
    }
    return clusters;
  }

  private double relativeError(List<Block> blocks, List<Integer> members, int rank) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      double[] values = algebra.svd(joined(algebra, blocks, members)).s();
      double total = 0;
      double tail = 0;
      for (int i = values.length - 1; i >= 0; i--) {
        total += values[i] * values[i];
        tail = i == rank ? total : tail;
      }
      return Math.sqrt(tail / total);
    }
  }

  private static Matrix joined(LinearAlgebra algebra, List<Block> blocks, List<Integer> members) {
    int rows = blocks.getFirst().rows();
    int columns = members.stream().mapToInt(i -> blocks.get(i).columns()).sum();
    double[] joined = new double[rows * columns];
    int at = 0;
    for (int member : members) {
      Held block = (Held) blocks.get(member);
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < block.columns(); j++) {
          joined[i * columns + at + j] = block.values()[i * block.columns() + j];
        }
      }
      at += block.columns();
    }
    return algebra.matrix(rows, columns, joined);
  }
}
