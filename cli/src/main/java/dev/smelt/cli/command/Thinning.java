package dev.smelt.cli.command;

import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.BatchSize;
import dev.smelt.gpu.statistics.Estimate;
import dev.smelt.gpu.statistics.FisherEstimator;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Saving;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.gpu.training.TuneOptions;
import dev.smelt.gpu.training.Tuner;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * Networks at work while a model gets thinner.
 *
 * @param place of the output, on whose disk things lie in between
 */
record Thinning(DataMixin how, ComputeDevice device, Path place, Progress progress) {

  /** Of a model on data; close them. */
  Statistics statistics(Checkpoint model, Dataset data, Set<Statistic> wanted) {
    try (Network network = how.load(model, device);
        Estimate found =
            FisherEstimator.estimate(
                network,
                data,
                new FisherOptions(
                    wanted,
                    Labels.EMPIRICAL,
                    0,
                    BatchSize.exactly(how.batch()),
                    OptionalDouble.empty()),
                Saving.never(place),
                progress)) {
      return Statistics.held(found, place);
    }
  }

  /** Trains what may be trained, holding zeros. */
  void tune(ThinnedModel model, Checkpoint dense, Dataset data, TuneOptions options) {
    if (options.distillation() == 0) {
      tune(model, Optional.empty(), data, options);
    } else {
      try (Network teacher = how.load(dense, device)) {
        tune(model, Optional.of(teacher), data, options);
      }
    }
  }

  private void tune(
      ThinnedModel model, Optional<Network> teacher, Dataset data, TuneOptions options) {
    try (Network student = how.load(model, device);
        Scratch scratch = Storage.local().scratch(place)) {
      Set<String> names = new LinkedHashSet<>(model.trainable());
      var _ = Tuner.tune(student, data, names, options.withZerosHeld(), teacher, progress);
      Map<String, TensorView> values = new LinkedHashMap<>();
      names.forEach(name -> values.put(name, student.values(name, scratch)));
      model.replace(values);
    }
  }
}
