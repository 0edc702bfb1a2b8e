package dev.smelt.cli.command;

import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.DataOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of a search for the weights of models on held-out data. */
final class SearchMixin {

  private static final int DEFAULT_BATCH = 8;

  @Option(
      names = "--search",
      paramLabel = "N",
      description =
          "Try N weights on held-out --data and take the best: for two models an even grid, for more"
              + " equal ones and then random ones.")
  private @Nullable Integer tries;

  @Option(
      names = "--data",
      paramLabel = "D",
      description = "With --search: held-out data, once per task; the mean over them counts.")
  private List<Path> data = new ArrayList<>();

  @Option(
      names = "--search-metric",
      paramLabel = "loss|accuracy",
      description = "With --search: what to make small, or large (loss).")
  private @Nullable SearchMetric metric;

  @Option(
      names = "--search-seed",
      paramLabel = "S",
      description = "With --search, of more than two models: which weights are drawn (0).")
  private @Nullable Long seed;

  @Option(
      names = "--seq-len",
      paramLabel = "T",
      description = "With --search: tokens of a window (the network's maximum).")
  private @Nullable Integer seqLen;

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "With --search: use the first N examples of each file (all).")
  private @Nullable Integer samples;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "With --search: examples at a time (8).")
  private @Nullable Integer batch;

  boolean isOn() {
    return tries != null;
  }

  /**
   * @throws UsageException when options do not go together
   */
  void requireSense(int models) {
    if (tries == null) {
      Map<String, @Nullable Object> given = new LinkedHashMap<>();
      given.put("--data", data.isEmpty() ? null : data);
      given.put("--search-metric", metric);
      given.put("--search-seed", seed);
      given.put("--seq-len", seqLen);
      given.put("--samples", samples);
      given.put("--batch", batch);
      given.forEach((name, value) -> Useless.refuse(name, value != null, "without --search"));
      return;
    }
    if (tries < 2) {
      throw new UsageException("--search " + tries + " is no search", "use 2 or more");
    }
    if (data.isEmpty()) {
      throw new UsageException("--search needs held-out data", "give --data, once per task");
    }
    if (models < 2) {
      throw new UsageException(
          "--search looks for the weights of several models, found " + models, "leave it out");
    }
    Useless.refuse("--search-seed", seed != null && models == 2, "on the grid of two models");
  }

  int tries() {
    return tries == null ? 0 : tries;
  }

  List<Path> data() {
    return List.copyOf(data);
  }

  SearchMetric metric() {
    return metric == null ? SearchMetric.LOSS : metric;
  }

  long seed() {
    return seed == null ? 0 : seed;
  }

  int batch() {
    return batch == null ? DEFAULT_BATCH : batch;
  }

  DataOptions examples() {
    DataOptions all = seqLen == null ? DataOptions.ALL : DataOptions.ALL.withSeqLen(seqLen);
    return samples == null ? all : all.withSamples(samples);
  }
}
