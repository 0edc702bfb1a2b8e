package dev.smelt.bench;

import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.layer.FactorType;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.metric.KroneckerMetric;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.sharing.ClusteredModels;
import dev.smelt.compress.sharing.Grouping;
import dev.smelt.compress.sharing.ModelClusterer;
import dev.smelt.compress.sharing.Panels;
import dev.smelt.compress.sharing.Side;
import dev.smelt.compress.sharing.ZooModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Statistics;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A base and three fine-tuned models of it that share bases of what they changed, beside factors of
 * each on its own in as many bytes.
 */
final class ZooBench {

  private static final List<String> DOMAINS = List.of("drama", "scripture", "almanac");
  private static final int THREADS = 2;
  private static final int BATCH = 8;
  private static final DataOptions EXAMPLES = DataOptions.ALL.withSeqLen(256).withSamples(40);

  /** Halvings of the interval in which the error of separate factors is looked for. */
  private static final int STEPS = 9;

  private final Path models;
  private final Path text;
  private final PrintStream out;
  private final Path folder;
  private final ComputeDevice device;

  private ZooBench(Path models, Path text, PrintStream out, Path folder, ComputeDevice device) {
    this.models = models;
    this.text = text;
    this.out = out;
    this.folder = folder;
    this.device = device;
  }

  static void run(Path models, Path text, PrintStream out) {
    try (TempFolder folder = TempFolder.make();
        ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, THREADS)) {
      ZooBench bench = new ZooBench(models, text, out, folder.path(), device);
      for (String network : List.of("gpt2", "llama")) {
        for (Optional<FactorType> type :
            List.of(Optional.<FactorType>empty(), Optional.of(FactorType.INT8))) {
          bench.table(network, false, type, List.of(0.05, 0.1, 0.2, 0.3));
          bench.table(network, true, type, List.of(0.02, 0.05, 0.1, 0.2));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The models of one table, open; the base is the first. */
  private record Zoo(List<ZooModel> models, List<Dataset> data, List<AutoCloseable> opened) {

    Checkpoint base() {
      return models.getFirst().checkpoint();
    }

    long bytes() {
      return models.stream().mapToLong(model -> model.checkpoint().bytes()).sum();
    }

    void close() {
      try {
        for (AutoCloseable one : opened) {
          one.close();
        }
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private Zoo open(String network, boolean weighted) {
    List<AutoCloseable> opened = new ArrayList<>();
    List<ZooModel> all = new ArrayList<>();
    List<Dataset> data = new ArrayList<>();
    Checkpoint base = Checkpoint.open(models.resolve(network + "-base"));
    opened.add(base);
    all.add(new ZooModel("base", base, metric(network, "drama", weighted, opened)));
    for (String domain : DOMAINS) {
      Checkpoint model = Checkpoint.open(models.resolve(network + "-" + domain));
      opened.add(model);
      all.add(new ZooModel(domain, model, metric(network, domain, weighted, opened)));
      try (Tokenizer tokenizer = Tokenizers.whenNeeded(model);
          Network loaded = Network.load(model, device)) {
        data.add(
            Dataset.read(text.resolve(domain + ".val.txt"), tokenizer, loaded.input(), EXAMPLES));
      }
    }
    return new Zoo(all, data, opened);
  }

  private Metric metric(
      String network, String domain, boolean weighted, List<AutoCloseable> opened) {
    if (!weighted) {
      return new PlainMetric();
    }
    Path file = folder.resolve(network + "-" + domain + ".safetensors");
    if (!file.toFile().exists()) {
      var _ =
          Command.smelt(
              "fisher",
              models.resolve(network + "-" + domain),
              "--data",
              text.resolve(domain + ".train.txt"),
              "--stats",
              "input-gram,grad-gram",
              "--seq-len",
              128,
              "--samples",
              128,
              "-o",
              file);
    }
    Statistics statistics = Statistics.open(file);
    opened.add(statistics);
    return new KroneckerMetric(statistics, KroneckerMetric.DEFAULT_DAMPING);
  }

  private void table(
      String network, boolean weighted, Optional<FactorType> type, List<Double> errors) {
    Zoo zoo = open(network, weighted);
    try {
      out.printf(
          "| %s, %s%s, ε | bases | matrices in them | bytes / dense | loss: %s |"
              + " separate factors, ε | bytes / dense | loss: %s |%n",
          network,
          weighted ? "kronecker" : "plain",
          type.map(one -> ", " + one).orElse(""),
          String.join(", ", DOMAINS),
          String.join(", ", DOMAINS));
      out.println("|---|---|---|---|---|---|---|---|");
      List<Checkpoint> dense = zoo.models().stream().map(ZooModel::checkpoint).toList();
      out.printf("| as they are | | | 1.000 | %s | | | |%n", losses(zoo, dense));
      for (double error : errors) {
        row(zoo, type, error);
      }
      out.println();
    } finally {
      zoo.close();
    }
  }

  private void row(Zoo zoo, Optional<FactorType> type, double error) {
    long bytes;
    try (ModelClusterer clusterer = clusterer(type, error)) {
      ClusteredModels shared = cluster(clusterer, zoo, List.of(Side.values()));
      bytes = bytes(shared);
      out.printf(
          "| %s | %d | %d | %.3f | %s |",
          error,
          shared.clusters().size(),
          shared.clusters().stream().mapToInt(one -> one.members().size()).sum(),
          (double) bytes / zoo.bytes(),
          losses(zoo, shared.models()));
    }
    double low = error / 8;
    double high = 0.99;
    for (int step = 0; step < STEPS; step++) {
      double middle = (low + high) / 2;
      try (ModelClusterer clusterer = clusterer(type, middle)) {
        if (bytes(cluster(clusterer, zoo, List.of())) > bytes) {
          low = middle;
        } else {
          high = middle;
        }
      }
    }
    try (ModelClusterer clusterer = clusterer(type, high)) {
      ClusteredModels separate = cluster(clusterer, zoo, List.of());
      out.printf(
          " %.3f | %.3f | %s |%n",
          high, (double) bytes(separate) / zoo.bytes(), losses(zoo, separate.models()));
    }
  }

  private ModelClusterer clusterer(Optional<FactorType> type, double error) {
    return new ModelClusterer(
        device,
        ClusterOptions.of(Algorithm.EXACT, Integer.MAX_VALUE, error),
        new OutputOptions(folder.resolve("out"), true, OutputOptions.DEFAULT_SHARD_BYTES),
        Optional.empty(),
        type);
  }

  /**
   * @param sides none: every matrix on its own
   */
  private static ClusteredModels cluster(ModelClusterer clusterer, Zoo zoo, List<Side> sides) {
    return clusterer.cluster(
        zoo.models(),
        Optional.of(zoo.base()),
        new LayerSelection(List.of(), List.of(), false),
        Grouping.SAME_NAME,
        Panels.NONE,
        sides,
        Progress.NONE);
  }

  private static long bytes(ClusteredModels done) {
    long bytes = done.common().stream().mapToLong(tensor -> tensor.info().bytes()).sum();
    for (int i = 0; i < done.models().size(); i++) {
      bytes += done.own(i).stream().mapToLong(tensor -> tensor.info().bytes()).sum();
    }
    return bytes;
  }

  /** Of the models behind the base, each on its own domain. */
  private String losses(Zoo zoo, List<? extends Checkpoint> all) {
    List<String> losses = new ArrayList<>();
    for (int i = 1; i < all.size(); i++) {
      try (Network network = Network.load(all.get(i), device)) {
        double loss =
            Evaluator.evaluate(network, zoo.data().get(i - 1), BATCH, Progress.NONE).loss();
        losses.add("%.4f".formatted(loss));
      }
    }
    return String.join(", ", losses);
  }
}
