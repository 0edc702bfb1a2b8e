package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.FactorType;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Factorises a checkpoint in steps: decompose every layer once, {@link #fit} ranks by a policy as
 * often as wanted, perhaps improve the factors, {@link #finish} with certificates. What does not
 * fit into memory lies on the disk of the output until this is closed.
 */
public final class Factorizer implements AutoCloseable {

  /** A promise that rounding broke is retried with this share more rank, at least one step. */
  private static final int RETRY_SHARE = 32;

  /** What the matrices that are worked on together may take. */
  private static final long CONCURRENT_BYTES = 2_000_000_000;

  /** About eight copies of a matrix in f32 are held while it is decomposed. */
  private static final long BYTES_PER_ELEMENT = 32;

  /** More would be slowed down by the memory they share. */
  private static final int MAX_CONCURRENT = 64;

  private final Checkpoint checkpoint;
  private final FactorizeOptions options;
  private final ComputeDevice device;
  private final OutputOptions output;
  private final Scratch scratch;
  private final Certifier certifier;
  private final Spectra spectra;
  private final List<Layer> layers;
  private final Map<String, DecomposedLayer> decomposed = new LinkedHashMap<>();
  private @Nullable Scratch fitted;

  private Factorizer(
      Checkpoint checkpoint,
      FactorizeOptions options,
      ComputeDevice device,
      OutputOptions output,
      Scratch scratch) {
    this.checkpoint = checkpoint;
    this.device = device;
    this.output = output;
    this.options = options;
    this.layers = options.selection().layers(checkpoint);
    this.scratch = scratch;
    this.certifier = new Certifier(device, options.metric());
    this.spectra =
        new Spectra(
            device,
            options.metric(),
            options.routes(),
            new StoredTensors(scratch, output.target(), Optional.empty()));
  }

  /**
   * Selects the layers.
   *
   * @throws MismatchException when the checkpoint is factorised already
   */
  public static Factorizer open(
      Checkpoint checkpoint, FactorizeOptions options, ComputeDevice device, OutputOptions output) {
    LowRank.requireDense(checkpoint);
    Scratch scratch = Storage.local().scratch(output.target());
    try {
      return new Factorizer(checkpoint, options, device, output, scratch);
    } catch (RuntimeException e) {
      scratch.close();
      throw e;
    }
  }

  /**
   * Decomposes every layer as far as the policy may ask for.
   *
   * @param known results of an earlier run, which are used where they reach far enough
   * @return those that were decomposed now
   */
  public List<String> decompose(RankPolicy policy, SpectraFile.Contents known, Progress progress) {
    Map<String, DecomposedLayer> found = new ConcurrentHashMap<>();
    List<Workers.Job> jobs = new ArrayList<>();
    try (Progress.Task task = progress.begin("decomposing", layers.size(), "matrices")) {
      for (Layer layer : layers) {
        int reach = policy.reach(layer, options.grid());
        jobs.add(
            () -> {
              if (reach > 0) {
                found.put(layer.module(), decompose(layer, reach, known));
              } else {
                layer.requireFinite();
              }
              task.advance(1);
            });
      }
      device.runAll(jobs, concurrent());
    }
    List<String> fresh = new ArrayList<>();
    for (Layer layer : layers) {
      DecomposedLayer one = found.get(layer.module());
      if (one != null) {
        decomposed.put(layer.module(), one);
        if (!known.has(one)) {
          fresh.add(layer.module());
        }
      }
    }
    return fresh;
  }

  private DecomposedLayer decompose(Layer layer, int reach, SpectraFile.Contents known) {
    return known.find(layer, reach).orElseGet(() -> spectra.decompose(layer, reach));
  }

  /**
   * Lists the work and says how long it will take, by doing a part of it: of every shape as many
   * layers as are worked on at a time.
   */
  public List<PlannedLayer> plan(RankPolicy policy, Progress progress) {
    Map<Work, List<Layer>> byWork = new LinkedHashMap<>();
    for (Layer layer : layers) {
      int reach = policy.reach(layer, options.grid());
      Work work = new Work(layer.out(), layer.in(), reach, layer.weight().dtype());
      byWork.computeIfAbsent(work, key -> new ArrayList<>()).add(layer);
    }
    Map<Work, Double> seconds = new HashMap<>();
    try (Progress.Task task = progress.begin("timing", byWork.size(), "shapes")) {
      byWork.forEach(
          (work, all) -> {
            seconds.put(work, work.reach() == 0 ? 0 : secondsEach(all, work.reach()));
            task.advance(1);
          });
    }
    Map<Layer, Work> works = new HashMap<>();
    byWork.forEach((work, all) -> all.forEach(layer -> works.put(layer, work)));
    return layers.stream()
        .map(
            layer -> {
              Work work = Objects.requireNonNull(works.get(layer));
              double each = Objects.requireNonNull(seconds.get(work));
              return new PlannedLayer(layer.module(), layer.out(), layer.in(), work.reach(), each);
            })
        .toList();
  }

  /** Layers that take equally long. */
  private record Work(int out, int in, int reach, DType dtype) {}

  private double secondsEach(List<Layer> all, int reach) {
    int atATime = Math.min(concurrent(), device.info().threads());
    List<Layer> part = all.subList(0, Math.min(all.size(), Math.max(1, atATime)));
    try (Scratch temporary = Storage.local().scratch(output.target())) {
      StoredTensors stored = new StoredTensors(temporary, output.target(), options.dtype());
      Spectra trial = new Spectra(device, options.metric(), options.routes(), stored);
      FactorCutter cutter = new FactorCutter(stored);
      List<Workers.Job> jobs = new ArrayList<>();
      for (Layer layer : part) {
        jobs.add(() -> certifier.certify(layer, cutter.cut(trial.decompose(layer, reach), reach)));
      }
      long start = System.nanoTime();
      device.runAll(jobs, concurrent());
      return (System.nanoTime() - start) * 1e-9 / part.size();
    }
  }

  /** Layers that are worked on at a time: as many as the largest of them leaves memory for. */
  private int concurrent() {
    long largest = layers.stream().mapToLong(Layer::elements).max().orElse(1);
    return Math.clamp(CONCURRENT_BYTES / (largest * BYTES_PER_ELEMENT), 1, MAX_CONCURRENT);
  }

  /** What {@link #decompose} found. */
  List<DecomposedLayer> decomposed() {
    return List.copyOf(decomposed.values());
  }

  /** The model with the ranks that the policy chooses. It replaces the one fitted before. */
  public FactoredModel fit(RankPolicy policy) {
    List<DecomposedLayer> candidates = decomposed();
    List<RankChoice> choices = policy.choose(spectral(candidates), options.grid(), otherBytes());
    Map<String, RankChoice> byModule = new LinkedHashMap<>();
    for (int i = 0; i < choices.size(); i++) {
      byModule.put(candidates.get(i).layer().module(), choices.get(i));
    }
    StoredTensors stored = freshStore();
    LinkedHashMap<String, LayerState> states = new LinkedHashMap<>();
    for (Layer layer : layers) {
      states.put(layer.module(), state(layer, byModule.get(layer.module()), stored));
    }
    return new FactoredModel(checkpoint, options.metric().name(), states, stored);
  }

  /** The share of the bytes of all layers above which {@link TotalKeep} has ranks to choose. */
  double leastKeep() {
    return decomposed.isEmpty() ? 1 : TotalKeep.least(spectral(decomposed()), options.grid());
  }

  private StoredTensors freshStore() {
    if (fitted != null) {
      fitted.close();
    }
    fitted = Storage.local().scratch(output.target());
    return new StoredTensors(fitted, output.target(), options.dtype());
  }

  private LayerState state(Layer layer, @Nullable RankChoice choice, StoredTensors stored) {
    return switch (choice) {
      case RankChoice.Factors(int rank) ->
          new LayerState.Factored(layer, new FactorCutter(stored).cut(decomposed(layer), rank));
      case RankChoice.Dense(String reason) -> new LayerState.Dense(layer, reason);
      case null -> new LayerState.Dense(layer, "no factors would be smaller");
    };
  }

  private DecomposedLayer decomposed(Layer layer) {
    return Objects.requireNonNull(decomposed.get(layer.module()), layer.module());
  }

  private List<SpectralLayer> spectral(List<DecomposedLayer> all) {
    return all.stream().map(this::spectral).toList();
  }

  private SpectralLayer spectral(DecomposedLayer one) {
    return new SpectralLayer(
        one.layer(),
        one.spectrum(),
        one.lossPerEnergy(),
        one.layer().weight().info().withFloatsAs(options.dtype()).dtype());
  }

  /** Bytes of all tensors of the output that are not among the decomposed layers. */
  private long otherBytes() {
    long all =
        checkpoint.tensors().stream()
            .mapToLong(tensor -> tensor.info().withFloatsAs(options.dtype()).bytes())
            .sum();
    return all - decomposed.values().stream().mapToLong(one -> spectral(one).denseBytes()).sum();
  }

  /** Certifies the factors and, where rounding broke a promise of the policy, raises their rank. */
  public FactorizedOutput finish(FactoredModel model, RankPolicy policy, Progress progress) {
    Map<String, Certificate> certificates = new ConcurrentHashMap<>();
    Map<String, LayerState> settled = new ConcurrentHashMap<>();
    List<Workers.Job> jobs = new ArrayList<>();
    try (Progress.Task task = progress.begin("certifying", model.layers().size(), "matrices")) {
      model
          .layers()
          .forEach(
              (module, state) ->
                  jobs.add(
                      () -> {
                        settled.put(module, settle(model, state, policy, certificates));
                        task.advance(1);
                      }));
      device.runAll(jobs, concurrent());
    }
    LinkedHashMap<String, LayerState> ordered = new LinkedHashMap<>();
    for (String module : model.layers().keySet()) {
      ordered.put(module, Objects.requireNonNull(settled.get(module)));
    }
    Metric metric = options.metric();
    return new FactorizedOutput(
        new FactoredModel(checkpoint, metric.name(), ordered, model.stored()),
        options.dtype(),
        certificates,
        decomposed,
        metric.predictsLoss());
  }

  private LayerState settle(
      FactoredModel model,
      LayerState state,
      RankPolicy policy,
      Map<String, Certificate> certificates) {
    return state instanceof LayerState.Factored factored
        ? settle(factored, model.stored(), policy.promisedError(), certificates)
        : state;
  }

  private LayerState settle(
      LayerState.Factored start,
      StoredTensors stored,
      double promised,
      Map<String, Certificate> certificates) {
    Layer layer = start.layer();
    DecomposedLayer one = decomposed(layer);
    LayerState.Factored state = start;
    while (true) {
      Certificate certificate = certifier.certify(layer, state.factors());
      if (certificate.weightedRelativeError() <= promised) {
        certificates.put(layer.module(), certificate);
        return state;
      }
      int rank = state.factors().rank();
      int more = options.grid().up(rank + Math.max(1, rank / RETRY_SHARE));
      if (rank == one.reach()) {
        FactorType type = stored.typeOfFactors(layer.weight());
        return new LayerState.Dense(
            layer,
            rank == layer.fullRank()
                ? "rounding to " + type + " alone exceeds the promised error"
                : "factors of rank " + rank + ", the largest, miss the promised error");
      }
      state =
          new LayerState.Factored(
              layer, new FactorCutter(stored).cut(one, Math.min(more, one.reach())));
    }
  }

  @Override
  public void close() {
    if (fitted != null) {
      fitted.close();
    }
    scratch.close();
  }
}
