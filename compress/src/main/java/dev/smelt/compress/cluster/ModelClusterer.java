package dev.smelt.compress.cluster;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Clusters the matrices of one model: within each group of layers by a common side; who is in no
 * cluster becomes factors of its own within the same error, or stays dense, whichever is smaller.
 * What is made lies on the disk of the output until this is closed.
 */
public final class ModelClusterer implements AutoCloseable {

  private final ComputeDevice device;
  private final ClusterOptions options;
  private final Scratch scratch;
  private final StoredTensors stored;

  /**
   * @param output beside which it is kept
   * @param dtype of all floats; absent: each as it was
   */
  public ModelClusterer(
      ComputeDevice device, ClusterOptions options, OutputOptions output, Optional<DType> dtype) {
    this.device = device;
    this.options = options;
    this.scratch = Storage.local().scratch(output.target());
    this.stored = new StoredTensors(scratch, output.target(), dtype);
  }

  /** Layers that may share, and on which side they do. */
  private record Candidates(List<Layer> layers, Side side, List<Cluster> clusters) {

    long saved() {
      long saved = 0;
      for (Cluster cluster : clusters) {
        List<Layer> members = cluster.members().stream().map(layers::get).toList();
        long rows = new LayerBlock(members.getFirst(), side).rows();
        long columns =
            members.stream().mapToLong(layer -> new LayerBlock(layer, side).columns()).sum();
        saved += rows * columns - cluster.rank() * (rows + columns);
      }
      return saved;
    }
  }

  /**
   * @param sides on which layers may share; where there are two, each group takes the one that
   *     saves more elements
   * @throws UsageException when there is nothing to cluster
   */
  public ClusteredOutput cluster(
      Checkpoint checkpoint,
      LayerSelection selection,
      Grouping grouping,
      List<Side> sides,
      Progress progress) {
    LowRank.requireDense(checkpoint);
    List<Layer> layers = selection.layers(checkpoint);
    List<Candidates> chosen = new ArrayList<>();
    for (List<Layer> group : groups(layers, grouping)) {
      chosen.addAll(candidates(group, sides, progress));
    }
    Map<String, LayerState> states = new HashMap<>();
    List<SharedBasis> shared = new ArrayList<>();
    for (Candidates candidates : chosen) {
      for (Cluster cluster : candidates.clusters()) {
        List<Layer> members = cluster.members().stream().map(candidates.layers()::get).toList();
        cutter()
            .cut(members, candidates.side(), cluster, Optional.of(new Basis(shared.size())))
            .ifPresent(
                cut -> {
                  shared.add(cut);
                  add(states, cut);
                });
      }
    }
    Map<String, SharedBasis> alone = new HashMap<>();
    for (Layer layer : layers) {
      if (!states.containsKey(layer.module())) {
        Optional<SharedBasis> own = alone(layer);
        own.ifPresent(cut -> alone.put(layer.module(), cut));
        own.ifPresentOrElse(
            cut -> add(states, cut),
            () ->
                states.put(
                    layer.module(),
                    new LayerState.Dense(layer, "neither shared nor own factors are smaller")));
      }
    }
    LinkedHashMap<String, LayerState> ordered = new LinkedHashMap<>();
    layers.forEach(layer -> ordered.put(layer.module(), states.get(layer.module())));
    FactoredModel model = new FactoredModel(checkpoint, "cluster", ordered, stored);
    return new ClusteredOutput(model, checkpoint, layers, shared, alone);
  }

  private BasisCutter cutter() {
    return new BasisCutter(device, options, stored);
  }

  private static void add(Map<String, LayerState> states, SharedBasis cut) {
    for (int i = 0; i < cut.layers().size(); i++) {
      Layer layer = cut.layers().get(i);
      boolean output = cut.side() == Side.OUTPUT;
      Factors factors =
          new Factors(
              output ? cut.basis() : cut.coefficients().get(i),
              output ? cut.coefficients().get(i) : cut.basis());
      states.put(layer.module(), new LayerState.Factored(layer, factors));
    }
  }

  /** Two layers or more each. */
  private List<List<Layer>> groups(List<Layer> layers, Grouping grouping) {
    Map<String, List<Layer>> groups = new LinkedHashMap<>();
    for (Layer layer : layers) {
      grouping
          .key(layer)
          .ifPresent(key -> groups.computeIfAbsent(key, one -> new ArrayList<>()).add(layer));
    }
    List<List<Layer>> found = groups.values().stream().filter(one -> one.size() > 1).toList();
    if (found.isEmpty()) {
      throw new UsageException(
          "no two of the " + layers.size() + " matrices are in one group",
          "use another --group, or smelt factorize");
    }
    return found;
  }

  /** Of the side on which the whole group saves more. */
  private List<Candidates> candidates(List<Layer> group, List<Side> sides, Progress progress) {
    List<Candidates> best = List.of();
    for (Side side : sides) {
      List<Candidates> found =
          alike(group, side).stream().map(alike -> candidates(alike, side, progress)).toList();
      best = saved(found) > saved(best) ? found : best;
    }
    return best;
  }

  private static long saved(List<Candidates> all) {
    return all.stream().mapToLong(Candidates::saved).sum();
  }

  private Candidates candidates(List<Layer> alike, Side side, Progress progress) {
    List<Block> blocks = alike.stream().<Block>map(layer -> new LayerBlock(layer, side)).toList();
    return new Candidates(alike, side, new Clusterer(device, options).cluster(blocks, progress));
  }

  /** Of one type, and one shape of the common side. */
  private List<List<Layer>> alike(List<Layer> group, Side side) {
    Map<String, List<Layer>> alike = new TreeMap<>();
    for (Layer layer : group) {
      String key =
          stored.typeOf(layer.weight())
              + (side == Side.OUTPUT ? layer.shapeOfA(1) : layer.shapeOfB(1)).toString();
      alike.computeIfAbsent(key, one -> new ArrayList<>()).add(layer);
    }
    return alike.values().stream().filter(one -> one.size() > 1).toList();
  }

  /** Factors of a single layer within the error, where they are smaller than it. */
  private Optional<SharedBasis> alone(Layer layer) {
    Side side = layer.out() <= layer.in() ? Side.OUTPUT : Side.INPUT;
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Member member = Member.of(algebra, 0, new LayerBlock(layer, side), false);
      double limit = options.maxError() * options.maxError() * member.squaredNorm();
      int rank = Energies.rankWithin(member.energies(), limit);
      Cluster single = new Cluster(List.of(0), rank, options.maxError(), new Cluster.Bracket(0, 0));
      return cutter().cut(List.of(layer), side, single, Optional.empty());
    }
  }

  @Override
  public void close() {
    scratch.close();
  }
}
