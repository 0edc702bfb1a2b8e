package dev.smelt.merge.recipe;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Anatomy.InBlock;
import dev.smelt.formats.model.Architecture;
import dev.smelt.merge.plan.MergeInput;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/** Which tensors of its models a slice takes, under which names, and where they are in it. */
final class SlicePlacer {

  private final Stage stage;
  private final Optional<Blocks> blocks;

  /** Bare names of stored copies → those of the embeddings they are copies of. */
  private final Map<String, String> tied;

  private final Architecture architecture;

  /**
   * @param blocks present where they matter
   */
  SlicePlacer(Stage stage, Optional<Blocks> blocks, Checkpoint donor) {
    this.stage = stage;
    this.blocks = blocks;
    this.architecture = Architecture.of(donor.config());
    this.tied =
        donor.config().filter(architecture::isTied).isPresent() ? architecture.tied() : Map.of();
  }

  /** Whether a tensor is a stored copy of an embedding. */
  boolean isTied(String tensor) {
    return tied.containsKey(architecture.bareName(tensor));
  }

  Placed place(int slice) {
    int before =
        stage.isStacked()
            ? stage.slices().subList(0, slice).stream().mapToInt(SlicePlacer::length).sum()
            : 0;
    return new Placed(slice, before);
  }

  private static int length(OutputSlice slice) {
    return slice.sources().getFirst().layers().orElseThrow().size();
  }

  /** A slice in its place. */
  final class Placed {

    private final int slice;
    private final int before;

    private Placed(int slice, int before) {
      this.slice = slice;
      this.before = before;
    }

    /** What it takes of a model, by the names of the output. */
    SequencedMap<String, TensorView> tensors(Source source, MergeInput input) {
      SequencedMap<String, TensorView> tensors = new LinkedHashMap<>();
      Checkpoint model = input.checkpoint();
      if (source.layers().isEmpty() || blocks.isEmpty()) {
        model.tensors().forEach(view -> tensors.put(view.name(), view));
        return tensors;
      }
      Blocks known = blocks.get();
      LayerRange range = source.layers().get();
      requireBlocks(source, range, known.count(model));
      for (TensorView view : model.tensors()) {
        Optional<InBlock> place = known.find(view.name());
        if (place.isPresent()) {
          int block = place.get().block();
          if (block >= range.from() && block < range.to()) {
            tensors.put(known.nameIn(place.get(), before + block - range.from()), view);
          }
        } else if (!isTied(view.name()) && isHere(known.isInFront(view.info()))) {
          tensors.put(known.nameOutside(view.name()), view);
        }
      }
      return tensors;
    }

    /** What is in front of the blocks is of the first slice, what is behind them of the last. */
    private boolean isHere(boolean inFront) {
      return slice == (inFront ? 0 : stage.slices().size() - 1);
    }

    private static void requireBlocks(Source source, LayerRange range, int blocks) {
      if (range.to() > blocks) {
        throw new CorruptException(
            "no such blocks",
            source.place().toString(),
            source.model() + " has " + blocks + ", found layer_range " + range,
            "blocks count from 0, and the second number is one after the last");
      }
    }

    /** A copy of an embedding is merged as the embedding is, so that it stays a copy. */
    Chooser.Chosen choose(Chooser chooser, String output, List<TensorView> theta) {
      String embedding = tied.get(architecture.bareName(output));
      if (embedding != null) {
        String name = architecture.prefix() + embedding;
        return chooser.of(name, theta.stream().map(_ -> name).toList(), 0);
      }
      double t =
          blocks
              .map(
                  known ->
                      t(
                          known,
                          new TensorInfo(
                              output, theta.getFirst().dtype(), theta.getFirst().shape())))
              .orElse(0.0);
      return chooser.of(output, theta.stream().map(TensorView::name).toList(), t);
    }

    private double t(Blocks known, TensorInfo output) {
      int length =
          stage.isStacked()
              ? length(stage.slices().get(slice))
              : known.anatomy().blocks(known.config());
      return known
          .find(output.name())
          .map(place -> length == 1 ? 1.0 : (double) (place.block() - before) / (length - 1))
          .orElseGet(() -> known.isInFront(output) ? 0.0 : 1.0);
    }
  }
}
