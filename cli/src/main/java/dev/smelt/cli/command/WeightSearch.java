package dev.smelt.cli.command;

import dev.smelt.cli.Smelt;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import dev.smelt.merge.search.Candidates;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Merges with several weights, one after another, and measures each on held-out data. */
final class WeightSearch {

  private final SearchMixin options;
  private final Smelt root;
  private final LazyDevice device;
  private final List<Try> tries = new ArrayList<>();

  /**
   * One set of weights.
   *
   * @param values of the metric, one for each file
   */
  record Try(List<Double> weights, List<Double> values, double mean) {}

  /** Writes a merge with these weights. */
  interface Merge {
    void write(List<Double> weights, OutputOptions target);
  }

  WeightSearch(SearchMixin options, Smelt root, LazyDevice device) {
    this.options = options;
    this.root = root;
    this.device = device;
  }

  /**
   * @param target of the output, beside which trials lie while they are measured
   * @return the best weights; of equals those that were tried first
   */
  List<Double> best(int models, Path target, Merge merge) {
    @Nullable Try best = null;
    Path beside = target.resolveSibling(target.getFileName() + ".search");
    try (Staging trials = Storage.local().stage(beside, false)) {
      OutputOptions trial =
          new OutputOptions(trials.file("trial"), true, OutputOptions.DEFAULT_SHARD_BYTES);
      for (List<Double> weights : Candidates.of(models, options.tries(), options.seed())) {
        merge.write(weights, trial);
        Try found = measure(weights, trial.target());
        tries.add(found);
        if (best == null || options.metric().isBetter(found.mean(), best.mean())) {
          best = found;
        }
      }
    }
    return Objects.requireNonNull(best).weights();
  }

  private Try measure(List<Double> weights, Path model) {
    List<Double> values = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(model);
        Network network = Network.load(checkpoint, device.get());
        Tokenizer tokenizer = Tokenizers.whenNeeded(checkpoint)) {
      for (Path file : options.data()) {
        Dataset dataset = Dataset.read(file, tokenizer, network.input(), options.examples());
        values.add(
            options
                .metric()
                .of(Evaluator.evaluate(network, dataset, options.batch(), root.progress())));
      }
    }
    double mean = values.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    return new Try(weights, values, mean);
  }

  /** For the manifest. */
  Map<String, Object> record() {
    Map<String, Object> record = new LinkedHashMap<>();
    record.put("metric", options.metric().toString());
    record.put("seed", options.seed());
    record.put("data", options.data().stream().map(Path::toString).toList());
    record.put("tries", List.copyOf(tries));
    return record;
  }
}
