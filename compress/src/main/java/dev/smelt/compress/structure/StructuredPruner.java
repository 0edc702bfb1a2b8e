package dev.smelt.compress.structure;

import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.Coupling;
import dev.smelt.formats.model.RestatedConfig;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Leaves out hidden units, heads or blocks: scores them once, and then makes a smaller model of any
 * share of them, as often as wanted.
 */
public final class StructuredPruner {

  private final Checkpoint checkpoint;
  private final Units units;
  private final StructureOptions options;
  private final OutputOptions output;
  private final Optional<Compensation> compensation;
  private final UnitScoring scoring;
  private final List<double[]> scores;

  private StructuredPruner(
      Checkpoint checkpoint,
      Units units,
      StructureOptions options,
      OutputOptions output,
      Optional<Compensation> compensation,
      UnitScoring scoring,
      List<double[]> scores) {
    this.checkpoint = checkpoint;
    this.units = units;
    this.options = options;
    this.output = output;
    this.compensation = compensation;
    this.scoring = scoring;
    this.scores = scores;
  }

  /**
   * Scores all units.
   *
   * @param output beside which tensors lie until they are written
   * @throws UnsupportedException when the parts of the network are not known, or its config could
   *     not say that there are fewer
   * @throws MismatchException when the checkpoint is factorised, or does not fit its config
   * @throws NotFoundException when tensors or statistics are missing
   * @throws UsageException when options do not go together
   */
  public static StructuredPruner open(
      Checkpoint checkpoint,
      StructureOptions options,
      UnitScoring scoring,
      OutputOptions output,
      int threads,
      Progress progress) {
    scoring.requireFit(options.pattern());
    Units units = Units.of(checkpoint, options.pattern());
    requireStatable(checkpoint, units, options);
    Optional<Compensation> compensation =
        scoring instanceof UnitScoring.Surgeon surgeon
            ? Optional.of(new Compensation(units, surgeon))
            : Optional.empty();
    List<double[]> scores =
        new Scoring(checkpoint, units.anatomy(), units.config(), compensation, threads, progress)
            .of(scoring, units.couplings());
    return new StructuredPruner(checkpoint, units, options, output, compensation, scoring, scores);
  }

  /**
   * The same units by what they are worth in a model that lacks some of them. Those are the first
   * to go; weights still make up for all that go by what was known of this model.
   *
   * @param smaller which this has made
   * @param fresh scores of the smaller model
   */
  public StructuredPruner rescored(
      ShrunkModel smaller, UnitScoring fresh, int threads, Progress progress) {
    List<double[]> found = open(smaller, options, fresh, output, threads, progress).scores;
    List<double[]> all = new ArrayList<>();
    for (int layer = 0; layer < scores.size(); layer++) {
      Removal removal = smaller.removals().get(layer);
      double[] ofLayer = new double[removal.of()];
      Arrays.fill(ofLayer, Double.NEGATIVE_INFINITY);
      int[] left = removal.unitsLeft();
      for (int i = 0; i < left.length; i++) {
        ofLayer[left[i]] = found.get(layer)[i];
      }
      all.add(ofLayer);
    }
    return new StructuredPruner(checkpoint, units, options, output, compensation, scoring, all);
  }

  private static void requireStatable(
      Checkpoint checkpoint, Units units, StructureOptions options) {
    Anatomy anatomy = units.anatomy();
    boolean byLayer =
        options.pattern() == StructurePattern.BLOCKS
            || (options.pattern() == StructurePattern.HEADS
                && anatomy.headCount() == Anatomy.HeadCount.BY_LAYER);
    if (options.overall() && !byLayer) {
      boolean heads = options.pattern() == StructurePattern.HEADS;
      List<String> keys = heads ? anatomy.keys().heads() : anatomy.keys().inner();
      throw RestatedConfig.unequal(anatomy, units.config(), keys.getFirst());
    }
    if (options.pattern() == StructurePattern.NEURONS) {
      int expected = units.couplings().getFirst().units();
      for (Coupling coupling : units.couplings()) {
        if (coupling.units() != expected) {
          throw new MismatchException(
              "layers of unequal sizes",
              checkpoint.path() + "|" + coupling.consumer().weight().name(),
              "expected " + expected + " hidden units as in block 0, found " + coupling.units(),
              "is config.json that of another model?");
        }
      }
    }
  }

  /** Of each block's units; of whole blocks, one list for the model. */
  public List<double[]> scores() {
    return scores.stream().map(double[]::clone).toList();
  }

  /**
   * The largest share that may be asked for: at least one unit of each layer stays, and of blocks
   * those that are protected.
   */
  public double largestSparsity() {
    int all = scores.stream().mapToInt(layer -> layer.length).sum();
    int most =
        options.pattern() == StructurePattern.BLOCKS
            ? Math.min(free().length, all - 1)
            : all - scores.size();
    return options.overall() || options.pattern() == StructurePattern.BLOCKS
        ? (double) most / all
        : Math.nextDown(1.0);
  }

  /**
   * The model without a share of the units; close it.
   *
   * @param sparsity s in [0, 1): ⌊s·n⌋ of n go
   * @throws UsageException when so many cannot go
   * @throws UnsupportedException when the config cannot say what is left
   */
  public ShrunkModel shrink(double sparsity) {
    return without(gone(sparsity, false));
  }

  /**
   * Likewise on the way to a larger share, for {@link #rescored}: a layer of which no {@code
   * multiple} could be left stays as it is.
   */
  public ShrunkModel step(double sparsity) {
    return without(gone(sparsity, true));
  }

  private ShrunkModel without(List<int[]> gone) {
    RestatedConfig restated = units.restated(gone);
    List<Removal> removals = units.removals(gone);
    List<String> notes = new ArrayList<>(restated.notes());
    if (removals.stream().allMatch(one -> one.count() == 0)) {
      notes.add(
          "nothing was left out: the share is less than one of the " + options.pattern().units());
    }
    Scratch scratch = Storage.local().scratch(output.target());
    try {
      StoredTensors stored = new StoredTensors(scratch, output.target(), options.dtype());
      return new ShrunkModel(
          checkpoint,
          restated.config(),
          options.pattern(),
          removals,
          notes,
          refitted(units.fates(gone), gone, stored),
          scratch,
          stored);
    } catch (RuntimeException e) {
      scratch.close();
      throw e;
    }
  }

  private List<int[]> gone(double sparsity, boolean onTheWay) {
    Selection selection = new Selection(options.pattern().units(), options.multiple(), onTheWay);
    if (options.pattern() == StructurePattern.BLOCKS) {
      return List.of(selection.among(scores.getFirst(), free(), sparsity));
    }
    return options.overall()
        ? selection.overall(scores, sparsity)
        : selection.ofEach(scores, sparsity);
  }

  /** Blocks that may go. */
  private int[] free() {
    int n = scores.getFirst().length;
    int first = scoring instanceof UnitScoring.Entropy ? UnitScoring.Entropy.FIRST_PROTECTED : 0;
    int last = scoring instanceof UnitScoring.Entropy ? UnitScoring.Entropy.LAST_PROTECTED : 0;
    return IntStream.range(first, Math.max(first, n - last)).toArray();
  }

  /** Where the layers that read units make up for those that go. */
  private List<Fate> refitted(List<Fate> fates, List<int[]> gone, StoredTensors stored) {
    if (compensation.isEmpty()) {
      return fates;
    }
    Map<String, Integer> readers = new HashMap<>();
    for (int i = 0; i < units.couplings().size(); i++) {
      readers.put(units.couplings().get(i).consumer().weight().name(), i);
    }
    return fates.stream()
        .map(
            fate -> {
              Integer layer = readers.get(fate.input().name());
              return layer != null && fate instanceof Fate.Cut cut
                  ? compensation
                      .get()
                      .refit(units.couplings().get(layer), gone.get(layer), cut, stored)
                  : fate;
            })
        .toList();
  }
}
