package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.Manifest.Measured;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Measures one model after another on the same data. */
final class LossMeter {

  private final @Nullable String name;
  private final DataMixin how;
  private final Path data;
  private final ComputeDevice device;
  private final Progress progress;
  private final Dataset dataset;
  private final List<Measured> measured = new ArrayList<>();

  /**
   * @param dense which the data are made ready for
   */
  LossMeter(DataMixin how, Path data, Checkpoint dense, ComputeDevice device, Progress progress) {
    this(null, how, data, dense, device, progress);
  }

  /**
   * @param name of the model, where there are several
   */
  LossMeter(
      @Nullable String name,
      DataMixin how,
      Path data,
      Checkpoint dense,
      ComputeDevice device,
      Progress progress) {
    this.name = name;
    this.how = how;
    this.data = data;
    this.device = device;
    this.progress = progress;
    try (Network network = how.load(dense, device)) {
      dataset = how.read(data, dense, network);
      measured.add(evaluate("dense", dense, network));
    }
  }

  /** Measures a model and keeps the result for the manifest. */
  Measured record(String stage, Checkpoint model) {
    Measured found = measure(stage, model);
    measured.add(found);
    return found;
  }

  /** The loss of a model that may not be kept. */
  double loss(Checkpoint model) {
    return measure("", model).loss();
  }

  /** Of the model that was there at first. */
  double denseLoss() {
    return measured.getFirst().loss();
  }

  List<Measured> measured() {
    return List.copyOf(measured);
  }

  private Measured measure(String stage, Checkpoint model) {
    try (Network network = how.load(model, device)) {
      return evaluate(stage, model, network);
    }
  }

  private Measured evaluate(String stage, Checkpoint model, Network network) {
    Evaluation found = Evaluator.evaluate(network, dataset, how.batch(), progress);
    return new Measured(
        stage,
        name,
        data.toString(),
        model.bytes(),
        found.loss(),
        found.perplexity().isPresent() ? found.perplexity().getAsDouble() : null,
        found.accuracy());
  }
}
