package dev.smelt.cli.command;

import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.compress.sharing.ZooModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What is clustered, opened.
 *
 * @param spec of the models' metrics
 * @param files for the manifest
 */
record ClusterInputs(
    List<ZooModel> models, Optional<Checkpoint> base, MetricSpec spec, List<Manifest.Input> files) {

  /**
   * @param opened gets all that is to be closed
   */
  static ClusterInputs open(
      ZooMixin zoo,
      List<String> names,
      ClusterMetricMixin metric,
      int threads,
      List<AutoCloseable> opened) {
    List<Checkpoint> checkpoints = new ArrayList<>();
    for (Path path : zoo.paths()) {
      checkpoints.add(opened(Checkpoint.open(path), opened));
    }
    Optional<Checkpoint> base = zoo.base().map(path -> opened(Checkpoint.open(path), opened));
    Optional<String> baseHash = base.map(one -> ContentHash.of(one, threads));
    List<Manifest.Input> files = new ArrayList<>();
    List<Manifest.Input> statistics = new ArrayList<>();
    List<ZooModel> models = new ArrayList<>();
    MetricSpec spec = metric.of(Optional.empty());
    for (int i = 0; i < checkpoints.size(); i++) {
      Checkpoint checkpoint = checkpoints.get(i);
      String hash = ContentHash.of(checkpoint, threads);
      files.add(Manifests.model(checkpoint, hash));
      Optional<Path> file = metric.statistics().file(i);
      Optional<Statistics> found = file.map(path -> opened(Statistics.open(path), opened));
      found.ifPresent(one -> metric.statistics().requireModel(one, hash, baseHash));
      spec = metric.of(found);
      file.ifPresent(path -> statistics.add(Manifests.file("statistics", path)));
      models.add(new ZooModel(names.get(i), checkpoint, spec.metric(found)));
    }
    base.ifPresent(
        one ->
            files.add(
                new Manifest.Input(
                    "base", one.path().toString(), one.bytes(), baseHash.orElseThrow())));
    files.addAll(statistics);
    return new ClusterInputs(models, base, spec, files);
  }

  private static <T extends AutoCloseable> T opened(T one, List<AutoCloseable> all) {
    all.add(one);
    return one;
  }

  List<Checkpoint> checkpoints() {
    return models.stream().map(ZooModel::checkpoint).toList();
  }

  /** The models, and the base where there is one. */
  List<Checkpoint> read() {
    return Stream.concat(checkpoints().stream(), base.stream()).toList();
  }
}
