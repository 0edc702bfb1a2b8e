package dev.smelt.compress.structure;

import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.Coupling;
import dev.smelt.formats.model.LowRank;
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
  private final Anatomy anatomy;
  private final ModelConfig config;
  private final StructureOptions options;
  private final OutputOptions output;
  private final List<Coupling> couplings;
  private final Optional<Compensation> compensation;
  private final UnitScoring scoring;
  private final List<double[]> scores;

  private StructuredPruner(
      Checkpoint checkpoint,
      StructureOptions options,
      UnitScoring scoring,
      OutputOptions output,
      int threads,
      Progress progress) {
    this.checkpoint = checkpoint;
    this.options = options;
    this.output = output;
    this.scoring = scoring;
    this.anatomy = Anatomy.of(checkpoint);
    this.config = checkpoint.config().orElseThrow();
    this.couplings =
        switch (options.pattern()) {
          case NEURONS -> anatomy.neurons(checkpoint, config);
          case HEADS -> anatomy.heads(checkpoint, config);
          case BLOCKS -> List.of();
        };
    requireStatable();
    this.compensation =
        scoring instanceof UnitScoring.Surgeon surgeon
            ? Optional.of(new Compensation(checkpoint, surgeon))
            : Optional.empty();
    this.scores =
        new Scoring(checkpoint, anatomy, config, compensation, threads, progress)
            .of(scoring, couplings);
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
    LowRank.requireDense(checkpoint);
    return new StructuredPruner(checkpoint, options, scoring, output, threads, progress);
  }

  private void requireStatable() {
    boolean byLayer =
        options.pattern() == StructurePattern.BLOCKS
            || (options.pattern() == StructurePattern.HEADS
                && anatomy.headCount() == Anatomy.HeadCount.BY_LAYER);
    if (options.overall() && !byLayer) {
      boolean heads = options.pattern() == StructurePattern.HEADS;
      List<String> keys = heads ? anatomy.keys().heads() : anatomy.keys().inner();
      throw RestatedConfig.unequal(anatomy, config, keys.getFirst());
    }
    if (options.pattern() == StructurePattern.NEURONS) {
      int units = couplings.getFirst().units();
      for (Coupling coupling : couplings) {
        if (coupling.units() != units) {
          throw new MismatchException(
              "layers of unequal sizes",
              checkpoint.path() + "|" + coupling.consumer().weight().name(),
              "expected " + units + " hidden units as in block 0, found " + coupling.units(),
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
    int units = scores.stream().mapToInt(layer -> layer.length).sum();
    int most =
        options.pattern() == StructurePattern.BLOCKS
            ? Math.min(free().length, units - 1)
            : units - scores.size();
    return options.overall() || options.pattern() == StructurePattern.BLOCKS
        ? (double) most / units
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
    return options.pattern() == StructurePattern.BLOCKS
        ? withoutBlocks(sparsity)
        : withoutUnits(sparsity);
  }

  private Selection selection() {
    return new Selection(options.pattern().units(), options.multiple());
  }

  private ShrunkModel withoutUnits(double sparsity) {
    List<int[]> gone =
        options.overall()
            ? selection().overall(scores, sparsity)
            : selection().ofEach(scores, sparsity);
    RestatedConfig restated =
        options.pattern() == StructurePattern.NEURONS
            ? RestatedConfig.withNeurons(
                anatomy, config, couplings.getFirst().units() - gone.getFirst().length)
            : RestatedConfig.withoutHeads(anatomy, config, couplings, gone);
    List<Removal> removals = new ArrayList<>();
    for (int i = 0; i < couplings.size(); i++) {
      removals.add(removal(couplings.get(i).units(), gone.get(i)));
    }
    return make(
        restated,
        removals,
        (stored, scratch) -> {
          Map<String, Fate> fates = new HashMap<>();
          for (int i = 0; i < couplings.size(); i++) {
            if (gone.get(i).length > 0) {
              cut(couplings.get(i), gone.get(i), stored, fates);
            }
          }
          return checkpoint.tensors().stream()
              .map(view -> fates.getOrDefault(view.name(), new Fate.Stays(view, view.name())))
              .toList();
        });
  }

  private void cut(Coupling coupling, int[] gone, StoredTensors stored, Map<String, Fate> fates) {
    String what =
        String.format(
            "%,d of %,d %s left out", gone.length, coupling.units(), options.pattern().units());
    for (Coupling.Member member : coupling.members()) {
      int[] kept = member.indicesWithout(gone);
      for (TensorView view : member.divided()) {
        int axis = view.shape().rank() == 1 ? 0 : member.storedAxis();
        fates.put(view.name(), new Fate.Cut(view, axis, kept, what));
      }
    }
    if (compensation.isPresent()) {
      Coupling.Member consumer = coupling.consumer();
      fates.put(
          consumer.weight().name(),
          compensation
              .get()
              .refit(
                  consumer, consumer.indices(gone), consumer.indicesWithout(gone), what, stored));
    }
  }

  private ShrunkModel withoutBlocks(double sparsity) {
    double[] ofBlocks = scores.getFirst();
    int n = ofBlocks.length;
    int[] gone = selection().among(ofBlocks, free(), sparsity);
    int[] kept =
        IntStream.range(0, n).filter(block -> Arrays.binarySearch(gone, block) < 0).toArray();
    RestatedConfig restated = RestatedConfig.ofBlocks(anatomy, config, kept);
    return make(
        restated,
        List.of(removal(n, gone)),
        (_, _) -> checkpoint.tensors().stream().map(view -> moved(view, kept)).toList());
  }

  /** Blocks that may go. */
  private int[] free() {
    int n = scores.getFirst().length;
    int first = scoring instanceof UnitScoring.Entropy ? UnitScoring.Entropy.FIRST_PROTECTED : 0;
    int last = scoring instanceof UnitScoring.Entropy ? UnitScoring.Entropy.LAST_PROTECTED : 0;
    return IntStream.range(first, Math.max(first, n - last)).toArray();
  }

  private Fate moved(TensorView view, int[] kept) {
    return anatomy
        .find(view.name())
        .<Fate>map(
            place -> {
              int moved = Arrays.binarySearch(kept, place.block());
              return moved < 0
                  ? new Fate.Goes(view, place.block())
                  : new Fate.Stays(view, place.nameIn(moved));
            })
        .orElseGet(() -> new Fate.Stays(view, view.name()));
  }

  private static Removal removal(int of, int[] gone) {
    return new Removal(of, Arrays.stream(gone).boxed().toList());
  }

  private interface Fates {
    List<Fate> of(StoredTensors stored, Scratch scratch);
  }

  private ShrunkModel make(RestatedConfig restated, List<Removal> removals, Fates fates) {
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
          fates.of(stored, scratch),
          scratch,
          stored);
    } catch (RuntimeException e) {
      scratch.close();
      throw e;
    }
  }
}
