package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.Block;
import dev.smelt.compress.cluster.Cluster;
import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.cluster.Clusterer;
import dev.smelt.compress.cluster.Widths;
import dev.smelt.compress.layer.FactorType;
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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Clusters the matrices of one model, or of several: within each group by a common side; who is in
 * no cluster becomes factors of its own within the same error, or stays dense, whichever is
 * smaller. What is made lies on the disk of the output until this is closed.
 */
public final class ModelClusterer implements AutoCloseable {

  private final ComputeDevice device;
  private final ClusterOptions options;
  private final Path place;
  private final Scratch scratch;
  private final StoredTensors stored;

  /**
   * @param output beside which it is kept
   * @param dtype of all floats; absent: each as it was
   * @param factors how factors are stored; absent: as the matrices would be
   */
  public ModelClusterer(
      ComputeDevice device,
      ClusterOptions options,
      OutputOptions output,
      Optional<DType> dtype,
      Optional<FactorType> factors) {
    this.device = device;
    this.options = options;
    this.place = output.target();
    this.scratch = Storage.local().scratch(place);
    this.stored = new StoredTensors(scratch, place, dtype, factors);
  }

  /** Matrices that may share, and on which side they do. */
  private record Candidates(
      List<Subject> subjects, Side side, Widths widths, List<Cluster> clusters) {

    List<Subject> members(Cluster cluster) {
      return cluster.members().stream().map(subjects::get).toList();
    }

    long saved() {
      long saved = 0;
      for (Cluster cluster : clusters) {
        List<LayerBlock> blocks =
            members(cluster).stream().map(subject -> new LayerBlock(subject, side)).toList();
        long rows = blocks.getFirst().rows();
        long columns = blocks.stream().mapToLong(LayerBlock::columns).sum();
        saved += rows * columns * widths.dense();
        saved -= cluster.rank() * (rows + columns) * widths.factor();
      }
      return saved;
    }
  }

  /**
   * @param models one, or several
   * @param base where models share what they changed of it
   * @param panels no change of a base can be cut
   * @param sides on which matrices may share; where there are two, each group takes the one that
   *     saves more bytes
   * @throws UsageException when there is nothing to cluster
   */
  public ClusteredModels cluster(
      List<ZooModel> models,
      Optional<Checkpoint> base,
      LayerSelection selection,
      Grouping grouping,
      Panels panels,
      List<Side> sides,
      Progress progress) {
    models.forEach(model -> LowRank.requireDense(model.checkpoint()));
    base.ifPresent(LowRank::requireDense);
    List<List<Layer>> layers =
        models.stream().map(model -> selection.layers(model.checkpoint())).toList();
    for (int i = 0; i < models.size(); i++) {
      panels.requireMatrices(models.get(i).checkpoint(), layers.get(i));
    }
    Subjects subjects = Subjects.of(models, base, layers, stored);
    BasisCutter cutter = new BasisCutter(device, options, stored);
    List<SharedBasis> shared = new ArrayList<>();
    Pieces pieces = new Pieces();
    for (List<Subject> group : groups(subjects, grouping)) {
      for (Candidates candidates : candidates(group, panels, sides, progress)) {
        for (Cluster cluster : candidates.clusters()) {
          List<Subject> members = candidates.members(cluster);
          Side side = candidates.side();
          Optional<Basis> name = Optional.of(new Basis(shared.size()));
          cutter
              .cut(members, side, cluster.bracket(), name)
              .ifPresent(
                  cut -> {
                    shared.add(cut);
                    pieces.add(cut);
                  });
        }
      }
    }
    List<Subject> rest = new ArrayList<>();
    for (Subject subject : subjects.sharing()) {
      pieces.of(subject, panels).stream().filter(pieces::isFree).forEach(rest::add);
    }
    rest.addAll(subjects.alone());
    for (Subject subject : rest) {
      Side side = subject.layer().out() <= subject.layer().in() ? Side.OUTPUT : Side.INPUT;
      cutter
          .cut(List.of(subject), side, new Cluster.Bracket(0, 0), Optional.empty())
          .ifPresent(pieces::add);
    }
    return ClusteredModels.of(models, base, layers, subjects, shared, pieces, panels, stored);
  }

  /** Two matrices or more each. */
  private static List<List<Subject>> groups(Subjects subjects, Grouping grouping) {
    Map<String, List<Subject>> groups = new LinkedHashMap<>();
    for (Subject subject : subjects.sharing()) {
      grouping
          .key(subject.layer())
          .ifPresent(key -> groups.computeIfAbsent(key, one -> new ArrayList<>()).add(subject));
    }
    List<List<Subject>> found = groups.values().stream().filter(one -> one.size() > 1).toList();
    if (found.isEmpty()) {
      throw new UsageException(
          "no two of the "
              + subjects.sharing().size()
              + " matrices are in one group"
              + (subjects.copies().isEmpty() && subjects.kept().isEmpty()
                  ? ""
                  : "; those that equal the base's or another model's do not count"),
          "use another --group, or smelt factorize");
    }
    return found;
  }

  /** Of the side on which the whole group saves more. */
  private List<Candidates> candidates(
      List<Subject> group, Panels panels, List<Side> sides, Progress progress) {
    List<Candidates> best = List.of();
    for (Side side : sides) {
      List<Subject> cut =
          group.stream().flatMap(subject -> panels.of(subject, side).stream()).toList();
      List<Candidates> found =
          alike(cut, side).stream().map(alike -> candidates(alike, side, progress)).toList();
      best = saved(found) > saved(best) ? found : best;
    }
    return best;
  }

  private static long saved(List<Candidates> all) {
    return all.stream().mapToLong(Candidates::saved).sum();
  }

  private Candidates candidates(List<Subject> alike, Side side, Progress progress) {
    List<LayerBlock> blocks = alike.stream().map(subject -> new LayerBlock(subject, side)).toList();
    Widths widths = alike.getFirst().widths(this.stored);
    Clusterer clusterer = new Clusterer(device, options.with(widths));
    boolean stored = alike.stream().allMatch(one -> one.isPlain() && one.base().isEmpty());
    if (stored) {
      return new Candidates(alike, side, widths, clusterer.cluster(List.copyOf(blocks), progress));
    }
    // Blocks are read many times, and these would be computed each time.
    try (Scratch work = Storage.local().scratch(place)) {
      List<Block> made = ComputedBlock.all(device, blocks, work, place);
      return new Candidates(alike, side, widths, clusterer.cluster(made, progress));
    }
  }

  /** Of one type, and one shape of the common side. */
  private List<List<Subject>> alike(List<Subject> group, Side side) {
    Map<String, List<Subject>> alike = new TreeMap<>();
    for (Subject subject : group) {
      Layer layer = subject.layer();
      String key =
          stored.typeOf(layer.weight())
              + (side == Side.OUTPUT ? layer.shapeOfA(1) : layer.shapeOfB(1)).toString();
      alike.computeIfAbsent(key, one -> new ArrayList<>()).add(subject);
    }
    return alike.values().stream().filter(one -> one.size() > 1).toList();
  }

  @Override
  public void close() {
    scratch.close();
  }
}
