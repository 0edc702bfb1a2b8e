package dev.smelt.bench;

import dev.smelt.compress.prune.Allocation;
import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.prune.Method;
import dev.smelt.compress.prune.Pattern;
import dev.smelt.compress.prune.PruneOptions;
import dev.smelt.compress.prune.PruneSelection;
import dev.smelt.compress.prune.PrunedModel;
import dev.smelt.compress.prune.Pruner;
import dev.smelt.compress.prune.Scope;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Half of 2 GB of BF16 made zero, beside copying it; and one layer of 4096 by sparsegpt, beside the
 * products that it cannot do without. Files that are timed are never flushed.
 */
final class PruneSpeedBench {

  private static final int TENSORS = 16;
  private static final Shape SHAPE = Shape.of(4096, 16_384);
  private static final int N = 4096;

  /** Columns that sparsegpt takes at a time. */
  private static final int BLOCK = 128;

  private static final int RUNS = 3;

  /** Of weights as networks have them. */
  private static final double DEVIATION = 0.02;

  /** Copied in one job. */
  private static final long PIECE = 1L << 23;

  private final PrintStream out;
  private final Path folder;
  private final int threads;

  private PruneSpeedBench(PrintStream out, Path folder, int threads) {
    this.out = out;
    this.folder = folder;
    this.threads = threads;
  }

  static void run(PrintStream out) {
    int threads = Runtime.getRuntime().availableProcessors();
    try (TempFolder temporary = TempFolder.make()) {
      PruneSpeedBench bench = new PruneSpeedBench(out, temporary.path(), threads);
      bench.magnitude();
      bench.sparseGpt();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void magnitude() {
    Path source = folder.resolve("dense.safetensors");
    List<TensorInfo> infos =
        IntStream.range(0, TENSORS)
            .mapToObj(i -> new TensorInfo("layers." + i + ".weight", DType.BF16, SHAPE))
            .toList();
    try (CheckpointWriter writer = writer(source, infos)) {
      Workers.run(threads, infos.stream().map(info -> fill(writer, info)).toList());
      writer.commitWithoutManifest();
    }
    long bytes = infos.stream().mapToLong(TensorInfo::bytes).sum();
    out.printf(
        "| %.2f GB of BF16 in %d tensors, %d threads | s | GB/s | of copying |%n|---|---|---|---|%n",
        bytes / 1e9, TENSORS, threads);
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      double copy = Double.POSITIVE_INFINITY;
      double mask = Double.POSITIVE_INFINITY;
      double write = Double.POSITIVE_INFINITY;
      double both = Double.POSITIVE_INFINITY;
      // In turn, so that all meet the same load on the machine.
      for (int i = 0; i <= RUNS; i++) {
        double copied = seconds(() -> copy(checkpoint));
        double[] pruned = prune(checkpoint);
        if (i > 0) {
          copy = Math.min(copy, copied);
          mask = Math.min(mask, pruned[0]);
          write = Math.min(write, pruned[1]);
          both = Math.min(both, pruned[0] + pruned[1]);
        }
      }
      row("copy", copy, bytes, "");
      row("choose the smaller half of all weights", mask, bytes, "");
      row("write what is left", write, bytes, "");
      row("both", both, bytes, "%.0f %%".formatted(100 * copy / both));
    }
    out.println();
  }

  private void row(String what, double seconds, long bytes, String share) {
    out.printf("| %s | %.2f | %.2f | %s |%n", what, seconds, bytes / seconds / 1e9, share);
  }

  /** A few million numbers over and over: more would take longer than all that is measured. */
  private static Workers.Job fill(CheckpointWriter writer, TensorInfo info) {
    return () -> {
      SplittableRandom random = new SplittableRandom(info.name().hashCode());
      float[] values = new float[N * (1 << 8)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (DEVIATION * random.nextGaussian());
      }
      for (long first = 0; first < info.elements(); first += values.length) {
        writer.slot(info.name()).write(first, values, values.length);
      }
    };
  }

  private CheckpointWriter writer(Path target, List<TensorInfo> infos) {
    return CheckpointWriter.create(
        OutputOptions.to(target),
        new CheckpointWriter.Content(infos, Map.of(), Optional.empty(), List.of()));
  }

  private void copy(Checkpoint source) {
    try (CheckpointWriter writer = writer(folder.resolve("copy.safetensors"), source.infos())) {
      List<Workers.Job> jobs = new ArrayList<>();
      for (TensorView tensor : source.tensors()) {
        for (long at = 0; at < tensor.info().bytes(); at += PIECE) {
          long start = at;
          long length = Math.min(PIECE, tensor.info().bytes() - at);
          jobs.add(
              () ->
                  writer.slot(tensor.name()).write(start, tensor.segment().asSlice(start, length)));
        }
      }
      Workers.run(threads, jobs);
    }
  }

  /** Seconds for the masks, and for the file. */
  private double[] prune(Checkpoint source) {
    OutputOptions output = OutputOptions.to(folder.resolve("pruned.safetensors"));
    PruneSelection all = new PruneSelection(List.of("*"), List.of());
    PruneOptions options =
        new PruneOptions(
            all, new Pattern.Unstructured(), Scope.GLOBAL, Allocation.UNIFORM, Optional.empty());
    Supplier<ComputeDevice> none =
        () -> {
          throw new IllegalStateException("magnitudes need no device");
        };
    long start = System.nanoTime();
    try (PrunedModel model =
        new Pruner(options, output, none, threads)
            .prune(
                source,
                Optional.empty(),
                new Method.ByScore(new Magnitude()),
                0.5,
                Optional.empty(),
                Progress.NONE)) {
      long masked = System.nanoTime();
      try (CheckpointWriter writer = CheckpointWriter.create(output, model.content())) {
        var _ = model.write(writer, threads, Progress.NONE);
      }
      return new double[] {(masked - start) / 1e9, (System.nanoTime() - masked) / 1e9};
    }
  }

  private static double seconds(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e9;
  }

  /** The Gram matrix of N random inputs. */
  private record Gram(Matrix matrix) implements Statistics.Source {

    @Override
    public List<TensorInfo> tensors() {
      String name = Statistic.INPUT_GRAM.tensorName("layers.0");
      return List.of(new TensorInfo(name, DType.F32, Shape.of(N, N)));
    }

    @Override
    public void read(Statistics.Sink sink) {
      double[] values = matrix.toDoubles();
      float[] row = new float[N];
      for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
          row[j] = (float) values[i * N + j];
        }
        sink.accept(tensors().getFirst(), (long) i * N, row);
      }
    }
  }

  private void sparseGpt() {
    Path source = folder.resolve("layer.safetensors");
    TensorInfo info = new TensorInfo("layers.0.weight", DType.F32, Shape.of(N, N));
    try (CheckpointWriter writer = writer(source, List.of(info))) {
      fill(writer, info).run();
      writer.commitWithoutManifest();
    }
    try (ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, threads);
        Checkpoint checkpoint = Checkpoint.open(source);
        LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix x = algebra.load(checkpoint.tensor(info.name()), Precision.F32, false);
      try (Statistics statistics =
          Statistics.held(new Gram(algebra.gram(x)), folder.resolve("statistics"))) {
        double[] floor = floor(algebra, x);
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < 2; i++) {
          best = Math.min(best, seconds(() -> sparseGpt(checkpoint, statistics, device)));
        }
        out.println("| sparsegpt, half of 4096x4096 | s | of the floor |");
        out.println("|---|---|---|");
        out.printf("| Cholesky decomposition, f64 | %.2f | |%n", floor[0]);
        out.printf("| inverse of a triangle, f64 | %.2f | |%n", floor[1]);
        out.printf("| trailing updates, blocks of 128, f32 | %.2f | |%n", floor[2]);
        double all = floor[0] + floor[1] + floor[2];
        out.printf("| the floor: these three | %.2f | 1 |%n", all);
        out.printf("| sparsegpt with its certificate | %.2f | %.2f |%n%n", best, best / all);
      }
    }
  }

  private double[] floor(LinearAlgebra algebra, Matrix x) {
    double[] best = {Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY};
    for (int i = 0; i < 2; i++) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix gram = inner.gram(x, Precision.F64);
        Matrix eye = inner.identity(N, Precision.F64);
        Matrix h = inner.multiplyAdd(DEVIATION, eye, eye, 1, gram);
        long start = System.nanoTime();
        Matrix lower = inner.cholesky(h);
        long rooted = System.nanoTime();
        Matrix inverse = inner.solveLower(lower, eye);
        long inverted = System.nanoTime();
        Matrix upper = inner.convert(inner.transpose(inverse), Precision.F32);
        long before = System.nanoTime();
        trail(inner, x, upper);
        long end = System.nanoTime();
        best[0] = Math.min(best[0], (rooted - start) / 1e9);
        best[1] = Math.min(best[1], (inverted - rooted) / 1e9);
        best[2] = Math.min(best[2], (end - before) / 1e9);
      }
    }
    return best;
  }

  /** Products of the sizes of all trailing updates. */
  private static void trail(LinearAlgebra algebra, Matrix x, Matrix upper) {
    for (int from = 0; from + BLOCK < N; from += BLOCK) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix rest = inner.rows(upper, from + BLOCK, N);
        Matrix left = inner.leadingColumns(rest, BLOCK);
        var _ = inner.multiply(left, inner.rows(x, from, from + BLOCK));
      }
    }
  }

  private void sparseGpt(Checkpoint source, Statistics statistics, ComputeDevice device) {
    OutputOptions output = OutputOptions.to(folder.resolve("out.safetensors"));
    PruneOptions options =
        new PruneOptions(
            new PruneSelection(List.of("*"), List.of()),
            new Pattern.Unstructured(),
            Scope.TENSOR,
            Allocation.UNIFORM,
            Optional.empty());
    InputGram gram = new InputGram(statistics, InputGram.DAMPING);
    new Pruner(options, output, () -> device, threads)
        .prune(
            source,
            Optional.empty(),
            new Method.Sequential(gram),
            0.5,
            Optional.empty(),
            Progress.NONE)
        .close();
  }
}
