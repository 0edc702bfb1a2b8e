package dev.smelt.bench;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.lowrank.Decomposer;
import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;

/** One row for each stack of random matrices of one shape. */
final class DecompositionTable {

  private static final double KEEP = 0.5;
  private static final int LARGEST_SVD = 1024;

  private final ComputeDevice device;
  private final PrintStream out;

  DecompositionTable(ComputeDevice device, PrintStream out) {
    this.device = device;
    this.out = out;
  }

  void header() {
    out.println(
        "| matrices, f32, keep 0.5 | spectrum | rank | products (floor) s | SVD s | ours s"
            + " | route | × SVD | floors | error above the least |");
    out.println("|---|---|---|---|---|---|---|---|---|---|");
  }

  void measure(Spectrum spectrum, int count, int rows, int cols) {
    int rank = (int) (KEEP * rows * cols / (rows + cols));
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      List<Matrix> stack = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        stack.add(spectrum.matrix(algebra, rows, cols, i));
      }
      Matrix thin = algebra.signs(rank, rows, 1, Precision.F32);
      decompose(algebra, stack.subList(0, 1), rank);
      double floor = seconds(() -> each(stack, (inner, w) -> inner.multiply(thin, w)));
      double svd = seconds(() -> each(stack, LinearAlgebra::svd));
      long start = System.nanoTime();
      List<Decomposition> found = decompose(algebra, stack, rank);
      double ours = (System.nanoTime() - start) * 1e-9;
      ConcurrentSkipListSet<String> routes = new ConcurrentSkipListSet<>();
      found.forEach(one -> routes.add(one.route().toString()));
      Decomposition first = found.getFirst();
      Certificate certificate =
          Certificate.of(algebra, stack.getFirst(), first.a(), first.b(), Weighting.NONE);
      double least = leastError(stack.getFirst(), rank);
      out.printf(
          "| %d of %dx%d | %s | %d | %.2f | %.2f | %.2f | %s | %.1f | %.1f | %.1e |%n",
          count,
          rows,
          cols,
          spectrum,
          rank,
          floor,
          svd,
          ours,
          String.join(", ", routes),
          svd / ours,
          ours / floor,
          certificate.relativeError() / least - 1);
    }
  }

  /**
   * Two at a time, on one thread each, where there are several of them and two threads. Results
   * live in {@code owner}.
   */
  private List<Decomposition> decompose(LinearAlgebra owner, List<Matrix> stack, int rank) {
    if (stack.size() == 1) {
      return List.of(new Decomposer(owner).decompose(stack.getFirst(), Weighting.NONE, rank));
    }
    ConcurrentSkipListMap<Integer, Decomposition> found = new ConcurrentSkipListMap<>();
    List<Workers.Job> jobs = new ArrayList<>();
    for (int i = 0; i < stack.size(); i++) {
      int place = i;
      LinearAlgebra own = owner.inner();
      jobs.add(
          () ->
              found.put(
                  place, new Decomposer(own).decompose(stack.get(place), Weighting.NONE, rank)));
    }
    device.runAll(jobs, stack.size());
    return List.copyOf(found.values());
  }

  private interface Work {
    Object on(LinearAlgebra algebra, Matrix matrix);
  }

  private void each(List<Matrix> stack, Work work) {
    for (Matrix matrix : stack) {
      try (LinearAlgebra algebra = device.linearAlgebra()) {
        work.on(algebra, matrix);
      }
    }
  }

  private static double seconds(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) * 1e-9;
  }

  /**
   * √Σ_{k>r} σ_k² / ‖W‖ in f64: by a full SVD or, where that takes minutes, from the Gram matrix,
   * which resolves these tails to 1e-12.
   */
  private double leastError(Matrix w, int rank) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      double[] squares;
      if (w.rows() <= LARGEST_SVD) {
        squares = algebra.svd(algebra.convert(w, Precision.F64)).s();
        for (int i = 0; i < squares.length; i++) {
          squares[i] *= squares[i];
        }
      } else {
        squares = algebra.eigh(algebra.gram(w, Precision.F64)).values();
      }
      double tail = 0;
      for (int i = squares.length - 1; i >= rank; i--) {
        tail += squares[i];
      }
      return Math.sqrt(tail) / algebra.frobenius(w);
    }
  }
}
