package dev.smelt.compress.prune;

import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A run of prune, from a checkpoint to a checkpoint.
 *
 * @param values of what was written, by tensor
 */
record Pruned(List<TensorRecord> records, Map<String, double[]> values, long zeros) {

  /** How a run is made. */
  record Setup(PruneOptions options, int threads, @Nullable Path statistics) {

    static final PruneSelection ALL = new PruneSelection(List.of(), List.of());

    static Setup of(Pattern pattern, Scope scope) {
      return new Setup(
          new PruneOptions(ALL, pattern, scope, Allocation.UNIFORM, Optional.empty()), 2, null);
    }

    static Setup of(Scope scope) {
      return of(new Pattern.Unstructured(), scope);
    }

    Setup on(int count) {
      return new Setup(options, count, statistics);
    }

    Setup by(Path file) {
      return new Setup(options, threads, file);
    }

    Setup as(DType dtype) {
      return new Setup(
          new PruneOptions(
              options.selection(),
              options.pattern(),
              options.scope(),
              options.allocation(),
              Optional.of(dtype)),
          threads,
          statistics);
    }

    Setup with(Allocation allocation) {
      return new Setup(
          new PruneOptions(
              options.selection(), options.pattern(), options.scope(), allocation, options.dtype()),
          threads,
          statistics);
    }

    Setup select(PruneSelection selection) {
      return new Setup(
          new PruneOptions(
              selection, options.pattern(), options.scope(), options.allocation(), options.dtype()),
          threads,
          statistics);
    }

    Pruned magnitude(Path source, Path target, double sparsity) {
      return go(source, target, sparsity, _ -> new Method.ByScore(new Magnitude()));
    }

    Pruned run(Path source, Path target, double sparsity, Function<Statistics, Method> method) {
      return go(source, target, sparsity, found -> method.apply(found.orElseThrow()));
    }

    private Pruned go(
        Path source, Path target, double sparsity, Function<Optional<Statistics>, Method> method) {
      OutputOptions output = OutputOptions.to(target);
      Optional<Statistics> opened = Optional.ofNullable(statistics).map(Statistics::open);
      try (Checkpoint checkpoint = Checkpoint.open(source);
          PrunedModel pruned =
              new Pruner(options, output, TestDevice::get, threads)
                  .prune(
                      checkpoint,
                      Optional.empty(),
                      method.apply(opened),
                      sparsity,
                      opened,
                      Progress.NONE)) {
        List<TensorRecord> records;
        try (CheckpointWriter writer = CheckpointWriter.create(output, pruned.content())) {
          records = pruned.write(writer, threads, Progress.NONE);
          writer.commitWithoutManifest();
        }
        try (Checkpoint written = Checkpoint.open(target)) {
          Map<String, double[]> values = new HashMap<>();
          written.tensors().forEach(view -> values.put(view.name(), view.toDoubles()));
          return new Pruned(records, values, pruned.zeros());
        }
      } finally {
        opened.ifPresent(Statistics::close);
      }
    }
  }

  double[] tensor(String name) {
    return Objects.requireNonNull(values.get(name), name);
  }

  TensorRecord record(String tensor) {
    return records.stream().filter(one -> one.name().equals(tensor)).findFirst().orElseThrow();
  }

  static long zeros(double[] values) {
    long zeros = 0;
    for (double value : values) {
      zeros += value == 0 ? 1 : 0;
    }
    return zeros;
  }
}
