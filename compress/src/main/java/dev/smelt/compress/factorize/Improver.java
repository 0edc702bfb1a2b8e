package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.FactoredModel.LayerState.Factored;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.Grams;
import dev.smelt.compress.metric.KroneckerMetric;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.refine.FactoredMatrix;
import dev.smelt.compress.refine.LeastSquares;
import dev.smelt.compress.refine.RefineOptions;
import dev.smelt.compress.refine.Refinement;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.PairedInputs;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.gpu.training.TuneOptions;
import dev.smelt.gpu.training.Tuner;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** Makes factors of given ranks better than the singular vectors they began as. */
public final class Improver {

  private final ComputeDevice device;
  private final Metric metric;
  private final Progress progress;

  public Improver(ComputeDevice device, Metric metric, Progress progress) {
    this.device = device;
    this.metric = metric;
    this.progress = progress;
  }

  /**
   * Alternates between the best A for B and the best B for A, under the Gram matrices of the
   * layers' inputs in the statistics. Where the metric is that of these Gram matrices, factors are
   * the best already and only what rounding cost can be won back.
   *
   * @param rounds of both
   */
  public FactoredModel refine(
      FactoredModel model, Statistics statistics, double damping, int rounds) {
    Map<String, Factors> improved = new LinkedHashMap<>();
    List<Factored> factored = refinable(model);
    try (Progress.Task task = progress.begin("refining", factored.size(), "matrices")) {
      for (Factored one : factored) {
        improved.put(
            one.layer().module(), alternate(model.stored(), one, statistics, damping, rounds));
        task.advance(1);
      }
    }
    return model.with(improved);
  }

  private Factors alternate(
      StoredTensors stored, Factored one, Statistics statistics, double damping, int rounds) {
    Layer layer = one.layer();
    int rank = one.factors().rank();
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      double[] gram = Grams.ofInputs(statistics, layer).toDoubles();
      LeastSquares squares =
          new LeastSquares(
              algebra,
              layer.load(algebra),
              gram,
              gram,
              outputGram(layer).map(Supplier::get),
              Math.max(damping, Double.MIN_NORMAL));
      Matrix a = algebra.matrix(layer.out(), rank, one.factors().a().toDoubles());
      Matrix b = algebra.matrix(rank, layer.in(), one.factors().b().toDoubles());
      for (int round = 0; round < rounds; round++) {
        b = squares.right(a);
        a = squares.left(b);
      }
      // Once more for B as it is stored: that wins back what its rounding cost.
      TensorView weight = layer.weight();
      TensorView right =
          stored.factor(
              LowRank.factorB(layer.module()), weight, layer.shapeOfB(rank), b.toDoubles());
      Matrix best = squares.left(algebra.matrix(rank, layer.in(), right.toDoubles()));
      return new Factors(
          stored.factor(
              LowRank.factorA(layer.module()), weight, layer.shapeOfA(rank), best.toDoubles()),
          right);
    }
  }

  /**
   * Fits layer after layer to what the layers before it have become.
   *
   * @param original the dense network
   * @param compressed a network of {@code model}, whose factors change
   */
  public FactoredModel refine(
      FactoredModel model,
      Network original,
      Network compressed,
      Dataset data,
      RefineOptions options) {
    List<Factored> factored = refinable(model);
    List<FactoredMatrix> matrices = new ArrayList<>();
    for (Factored one : factored) {
      Layer layer = one.layer();
      matrices.add(
          new FactoredMatrix(
              layer.weight().name(),
              one.factors().a().name(),
              one.factors().b().name(),
              layer::toDoubles,
              outputGram(layer)));
    }
    Refinement.refine(original, compressed, data, matrices, device, options, progress);
    return fromNetwork(model, factored, compressed);
  }

  /**
   * Trains all factors.
   *
   * @param compressed a network of {@code model}, whose factors change
   * @param teacher the dense network, where its predictions are to be learned
   */
  public FactoredModel tune(
      FactoredModel model,
      Network compressed,
      Dataset data,
      TuneOptions options,
      Optional<Network> teacher) {
    List<Factored> factored = factored(model);
    Set<String> names = new LinkedHashSet<>();
    for (Factored one : factored) {
      names.add(one.factors().a().name());
      names.add(one.factors().b().name());
    }
    var _ = Tuner.tune(compressed, data, names, options, teacher, progress);
    return fromNetwork(model, factored, compressed);
  }

  private static FactoredModel fromNetwork(
      FactoredModel model, List<Factored> factored, Network network) {
    Map<String, Factors> improved = new LinkedHashMap<>();
    try (Scratch scratch = Storage.local().scratch(model.stored().place())) {
      for (Factored one : factored) {
        improved.put(
            one.layer().module(),
            new Factors(
                stored(
                    model.stored(), one.layer(), network.values(one.factors().a().name(), scratch)),
                stored(
                    model.stored(),
                    one.layer(),
                    network.values(one.factors().b().name(), scratch))));
      }
    }
    return model.with(improved);
  }

  private static TensorView stored(StoredTensors stored, Layer layer, TensorView values) {
    return stored.factor(values.name(), layer.weight(), values.shape(), values.toDoubles());
  }

  private Optional<Supplier<double[]>> outputGram(Layer layer) {
    return metric instanceof KroneckerMetric kronecker
        ? Optional.of(() -> Grams.ofGradients(kronecker.statistics(), layer).toDoubles())
        : Optional.empty();
  }

  private static List<Factored> factored(FactoredModel model) {
    List<Factored> factored = new ArrayList<>();
    for (FactoredModel.LayerState state : model.layers().values()) {
      if (state instanceof Factored one) {
        factored.add(one);
      }
    }
    if (factored.isEmpty()) {
      throw new UsageException(
          "no factors to improve: every matrix stays dense", "leave out --refine and --tune");
    }
    return factored;
  }

  /**
   * Tables have no inputs to be fitted to.
   *
   * @throws dev.smelt.formats.MismatchException when matrices share a factor
   */
  private static List<Factored> refinable(FactoredModel model) {
    Architecture architecture = Architecture.of(model.config());
    List<Factored> refinable =
        factored(model).stream()
            .filter(one -> architecture.role(one.layer().weight().info()) != TensorRole.EMBEDDING)
            .toList();
    for (Factored one : refinable) {
      PairedInputs.requireOwn(one.factors().a().name());
      PairedInputs.requireOwn(one.factors().b().name());
    }
    return refinable;
  }
}
