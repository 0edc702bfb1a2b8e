package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.Anatomy.InBlock;
import dev.smelt.formats.model.Coupling;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.RestatedConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The units of a model, and what it is without some of them: a function of the model and the
 * numbers of those that go, however they were chosen.
 *
 * @param couplings of each block's units; none where blocks go as a whole
 */
record Units(
    Checkpoint checkpoint,
    StructurePattern pattern,
    Anatomy anatomy,
    ModelConfig config,
    List<Coupling> couplings) {

  /**
   * @throws UnsupportedException when the parts of the network are not known, or its config could
   *     not say that there are fewer
   * @throws MismatchException when the checkpoint is factorised, or does not fit its config
   * @throws NotFoundException when tensors are missing
   */
  static Units of(Checkpoint checkpoint, StructurePattern pattern) {
    LowRank.requireDense(checkpoint);
    Anatomy anatomy = Anatomy.of(checkpoint);
    ModelConfig config = checkpoint.config().orElseThrow();
    List<Coupling> couplings =
        switch (pattern) {
          case NEURONS -> anatomy.neurons(checkpoint, config);
          case HEADS -> anatomy.heads(checkpoint, config);
          case BLOCKS -> List.of();
        };
    return new Units(checkpoint, pattern, anatomy, config, couplings);
  }

  /** What there is, with nothing gone: of each block in turn; of whole blocks, one entry. */
  List<Removal> layers() {
    return pattern == StructurePattern.BLOCKS
        ? List.of(new Removal(pathOfBlocks(), anatomy.blocks(config), List.of()))
        : couplings.stream()
            .map(one -> new Removal(one.consumer().module(), one.units(), List.of()))
            .toList();
  }

  private String pathOfBlocks() {
    return checkpoint.infos().stream()
        .flatMap(info -> anatomy.find(info.name()).stream())
        .map(InBlock::before)
        .map(before -> before.substring(0, before.length() - 1))
        .findFirst()
        .orElse(anatomy.blocks());
  }

  /** The layer that reads a block's units. */
  Layer consumer(Coupling coupling) {
    Coupling.Member consumer = coupling.consumer();
    return new Layer(
        checkpoint.path(),
        consumer.module(),
        consumer.weight(),
        consumer.transposed(),
        Optional.empty());
  }

  /**
   * @param gone those that go, by layer, ascending; some of each stay
   */
  List<Removal> removals(List<int[]> gone) {
    List<Removal> all = layers();
    return IntStream.range(0, all.size())
        .mapToObj(
            i ->
                new Removal(
                    all.get(i).layer(),
                    all.get(i).of(),
                    Arrays.stream(gone.get(i)).boxed().toList()))
        .toList();
  }

  /**
   * The config of what is left.
   *
   * @param gone as of {@link #removals}
   * @throws UnsupportedException when it cannot say that
   */
  RestatedConfig restated(List<int[]> gone) {
    return switch (pattern) {
      case NEURONS ->
          RestatedConfig.withNeurons(
              anatomy, config, couplings.getFirst().units() - gone.getFirst().length);
      case HEADS -> RestatedConfig.withoutHeads(anatomy, config, couplings, gone);
      case BLOCKS -> RestatedConfig.ofBlocks(anatomy, config, keptBlocks(gone));
    };
  }

  private int[] keptBlocks(List<int[]> gone) {
    return IntStream.range(0, anatomy.blocks(config))
        .filter(block -> Arrays.binarySearch(gone.getFirst(), block) < 0)
        .toArray();
  }

  /**
   * What becomes of each tensor, in the order of the checkpoint; nothing is refitted.
   *
   * @param gone as of {@link #removals}
   */
  List<Fate> fates(List<int[]> gone) {
    if (pattern == StructurePattern.BLOCKS) {
      int[] kept = keptBlocks(gone);
      return checkpoint.tensors().stream().map(view -> moved(view, kept)).toList();
    }
    Map<String, Fate> cut = new HashMap<>();
    for (int i = 0; i < couplings.size(); i++) {
      if (gone.get(i).length > 0) {
        cuts(couplings.get(i), gone.get(i)).forEach(fate -> cut.put(fate.input().name(), fate));
      }
    }
    return checkpoint.tensors().stream()
        .map(view -> cut.getOrDefault(view.name(), new Fate.Stays(view, view.name())))
        .toList();
  }

  private List<Fate> cuts(Coupling coupling, int[] gone) {
    String what =
        String.format("%,d of %,d %s left out", gone.length, coupling.units(), pattern.units());
    List<Fate> cuts = new ArrayList<>();
    for (Coupling.Member member : coupling.members()) {
      int[] kept = member.indicesWithout(gone);
      for (TensorView view : member.divided()) {
        int axis = view.shape().rank() == 1 ? 0 : member.storedAxis();
        cuts.add(new Fate.Cut(view, axis, kept, what));
      }
    }
    return cuts;
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
}
