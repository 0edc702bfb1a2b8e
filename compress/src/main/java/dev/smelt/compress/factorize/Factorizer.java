package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.LayerResult.Dense;
import dev.smelt.compress.factorize.LayerResult.Factorized;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Factorises a checkpoint. Layers are decomposed one after another and their rounded factors kept
 * on disk until all ranks are known; then the output is laid out and written in one pass.
 */
public final class Factorizer implements AutoCloseable {

  private final Checkpoint checkpoint;
  private final FactorizeOptions options;
  private final Scratch scratch;
  private final Map<String, LayerResult> results = new LinkedHashMap<>();
  private final List<Output> outputs = new ArrayList<>();
  private final List<TensorRecord> records = new ArrayList<>();
  private final Set<String> notes = new LinkedHashSet<>();

  /** A tensor of the output and where its values come from. */
  private record Output(TensorInfo info, TensorView source) {}

  /**
   * Decomposes every selected layer.
   *
   * @throws MismatchException when the checkpoint is factorised already
   */
  public static Factorizer decompose(
      Checkpoint checkpoint,
      FactorizeOptions options,
      ComputeDevice device,
      OutputOptions output,
      Progress progress) {
    if (!LowRank.of(checkpoint).modules().isEmpty()) {
      throw new MismatchException(
          "already factorized",
          checkpoint.path().toString(),
          "expected a dense checkpoint",
          "run smelt expand on it first");
    }
    List<Layer> layers = options.selection().layers(checkpoint);
    Factorizer factorizer =
        new Factorizer(checkpoint, options, Storage.local().scratch(output.target()));
    boolean ready = false;
    try (Progress.Task task = progress.begin("decomposing", layers.size(), "matrices")) {
      LayerFactorizer one = new LayerFactorizer(device, options);
      for (Layer layer : layers) {
        factorizer.results.put(layer.weight().name(), factorizer.spill(one.factorize(layer)));
        task.advance(1);
      }
      factorizer.layOut();
      ready = true;
      return factorizer;
    } finally {
      if (!ready) {
        factorizer.close();
      }
    }
  }

  private Factorizer(Checkpoint checkpoint, FactorizeOptions options, Scratch scratch) {
    this.checkpoint = checkpoint;
    this.options = options;
    this.scratch = scratch;
  }

  private LayerResult spill(LayerResult result) {
    return switch (result) {
      case Dense dense -> dense;
      case Factorized factorized ->
          new Factorized(
              factorized.layer(),
              factorized.rank(),
              spill(factorized.a()),
              spill(factorized.b()),
              factorized.certificate(),
              factorized.remark());
    };
  }

  private TensorView spill(TensorView view) {
    return new TensorView(view.info(), scratch.store(view.segment()));
  }

  private void layOut() {
    Map<String, String> biases = new HashMap<>();
    for (LayerResult result : results.values()) {
      if (result instanceof Factorized factorized) {
        String module = factorized.layer().module();
        biases.put(module + ".bias", LowRank.bias(module));
      }
    }
    for (TensorView tensor : checkpoint.tensors()) {
      switch (results.get(tensor.name())) {
        case Factorized factorized -> addFactors(factorized);
        case Dense dense ->
            addCopy(tensor, tensor.name(), Optional.of("stays dense: " + dense.reason()));
        case null -> {
          String name = biases.getOrDefault(tensor.name(), tensor.name());
          if (!name.equals(tensor.name())) {
            notes.add("biases of factorized modules are stored as " + LowRank.bias("<module>"));
          }
          addCopy(tensor, name, Optional.empty());
        }
      }
    }
    if (lowRank().modules().isEmpty()) {
      notes.add("no matrix was factorized; the output is dense");
    }
  }

  private void addFactors(Factorized factorized) {
    outputs.add(new Output(factorized.a().info(), factorized.a()));
    outputs.add(new Output(factorized.b().info(), factorized.b()));
    records.add(
        new TensorRecord(
            factorized.layer().weight().name(),
            TensorRecord.FACTORIZED,
            factorized.remark().orElse(null),
            factorized.rank(),
            factorized.certificate().relativeError(),
            factorized.certificate().weightedRelativeError(),
            factorized.layer().weight().info().bytes(),
            factorized.a().info().bytes() + factorized.b().info().bytes()));
  }

  private void addCopy(TensorView tensor, String name, Optional<String> reason) {
    TensorInfo info =
        new TensorInfo(name, tensor.dtype(), tensor.shape()).withFloatsAs(options.dtype());
    outputs.add(new Output(info, tensor));
    records.add(
        TensorRecord.kept(tensor.name(), reason.orElse(null), tensor.info().bytes(), info.bytes()));
  }

  /** What will be written. */
  public CheckpointWriter.Content content() {
    LowRank lowRank = lowRank();
    boolean isDense = lowRank.modules().isEmpty();
    Optional<ModelConfig> config =
        checkpoint
            .config()
            .map(dense -> isDense ? dense : lowRank.describe(dense, options.metric().name()))
            .map(described -> described.withDtype(options.dtype()));
    return new CheckpointWriter.Content(
        outputs.stream().map(Output::info).toList(),
        isDense ? Map.of() : lowRank.headerMetadata(),
        config,
        checkpoint.sideFiles());
  }

  private LowRank lowRank() {
    LinkedHashMap<String, LowRank.Module> modules = new LinkedHashMap<>();
    for (LayerResult result : results.values()) {
      if (result instanceof Factorized factorized) {
        Layer layer = factorized.layer();
        modules.put(layer.module(), new LowRank.Module(factorized.rank(), layer.transposed()));
      }
    }
    return new LowRank(modules);
  }

  /** One record per tensor of the input, in its order. */
  public List<TensorRecord> records() {
    return List.copyOf(records);
  }

  /** What the user should know of the output as a whole. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /** Fills every slot of a writer made for {@link #content()}. */
  public void write(CheckpointWriter writer) {
    for (Output output : outputs) {
      writer.slot(output.info().name()).transfer(output.source());
    }
  }

  @Override
  public void close() {
    scratch.close();
  }
}
