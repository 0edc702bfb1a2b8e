package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Anatomy.Attention;
import dev.smelt.formats.model.Anatomy.Layout;
import dev.smelt.formats.model.Anatomy.Perceptron;
import dev.smelt.formats.model.Coupling.Member;
import dev.smelt.formats.model.Coupling.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Finds what hangs together among the tensors of a checkpoint. Sizes are those of the tensors. */
final class Couplings {

  private static final String WEIGHT = ".weight";

  private final Anatomy anatomy;
  private final Checkpoint checkpoint;

  Couplings(Anatomy anatomy, Checkpoint checkpoint) {
    this.anatomy = anatomy;
    this.checkpoint = checkpoint;
  }

  /** The hidden units of each block. */
  List<Coupling> neurons(int blocks) {
    Perceptron perceptron = anatomy.perceptron();
    return IntStream.range(0, blocks)
        .mapToObj(
            block -> {
              Stored down = stored(block, perceptron.out());
              int units = down.size(Axis.INPUT);
              List<Run> runs = new ArrayList<>();
              for (int copy = 0; copy < perceptron.copies(); copy++) {
                runs.add(Run.each(copy * units, 1));
              }
              List<Member> up = new ArrayList<>();
              for (String module : perceptron.in()) {
                up.add(stored(block, module).divided(Axis.OUTPUT, units, runs));
              }
              List<Run> each = List.of(Run.each(0, 1));
              return new Coupling(block, units, up, down.divided(Axis.INPUT, units, each));
            })
        .toList();
  }

  /**
   * The heads of a block.
   *
   * @param queries how many heads of queries it has
   */
  Coupling heads(int block, int queries) {
    Attention attention = anatomy.attention();
    Stored out = stored(block, attention.out());
    int all = out.size(Axis.INPUT);
    int width = all / queries;
    out.require(
        Axis.INPUT, width * queries > 0 && width * queries == all, "a multiple of " + queries);
    List<Stored> in = attention.in().stream().map(module -> stored(block, module)).toList();
    int shared = sharedHeads(attention.layout(), in, width, queries);
    int group = queries / shared * width;
    List<Run> ofQueries = List.of(Run.each(0, group));
    List<Member> members = new ArrayList<>();
    switch (attention.layout()) {
      case APART -> {
        members.add(in.get(0).divided(Axis.OUTPUT, shared, ofQueries));
        for (Stored keysOrValues : in.subList(1, in.size())) {
          members.add(keysOrValues.divided(Axis.OUTPUT, shared, List.of(Run.each(0, width))));
        }
      }
      case BY_HEAD ->
          members.add(in.getFirst().divided(Axis.OUTPUT, shared, List.of(Run.each(0, 3 * width))));
      case BELOW ->
          members.add(
              in.getFirst()
                  .divided(
                      Axis.OUTPUT,
                      shared,
                      List.of(
                          Run.each(0, group),
                          Run.each(all, width),
                          Run.each(all + shared * width, width))));
    }
    return new Coupling(block, shared, members, out.divided(Axis.INPUT, shared, ofQueries));
  }

  /** How many heads keys and values have, which divides that of queries. */
  private static int sharedHeads(Layout layout, List<Stored> in, int width, int queries) {
    Stored keys = in.get(layout == Layout.APART ? 1 : 0);
    int rows = keys.size(Axis.OUTPUT);
    int beside = layout == Layout.APART ? 0 : queries;
    int copies = layout == Layout.APART ? 1 : 2;
    int shared = (rows / width - beside) / copies;
    keys.require(
        Axis.OUTPUT,
        shared > 0 && queries % shared == 0 && rows == (beside + copies * shared) * width,
        "heads of " + width + ", whose number divides " + queries + ",");
    return shared;
  }

  private Stored stored(int block, String module) {
    String bare = anatomy.blocks() + "." + block + "." + module;
    String full = anatomy.architecture().prefix() + bare;
    String name = checkpoint.find(full + WEIGHT).isPresent() ? full : bare;
    TensorView weight =
        checkpoint
            .find(name + WEIGHT)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "tensor missing",
                        checkpoint.path().toString(),
                        "expected '" + full + WEIGHT + "'",
                        "is config.json that of another model?"));
    if (!weight.shape().isMatrix() || weight.elements() == 0) {
      throw new MismatchException(
          "no matrix",
          checkpoint.path() + "|" + weight.name(),
          "expected two axes, found " + weight.shape(),
          "is config.json that of another model?");
    }
    boolean transposed = anatomy.architecture().role(weight.info()) == TensorRole.CONV1D;
    Stored stored =
        new Stored(checkpoint, name, weight, transposed, checkpoint.find(name + ".bias"));
    stored.bias().ifPresent(bias -> stored.requireBias(bias));
    return stored;
  }

  /** A linear layer as it is stored. */
  private record Stored(
      Checkpoint checkpoint,
      String module,
      TensorView weight,
      boolean transposed,
      Optional<TensorView> bias) {

    int size(Axis axis) {
      return Math.toIntExact(weight.shape().size((axis == Axis.OUTPUT) == transposed ? 1 : 0));
    }

    void requireBias(TensorView bias) {
      if (!bias.shape().equals(Shape.of(size(Axis.OUTPUT)))) {
        throw new MismatchException(
            "bias of another matrix",
            checkpoint.path() + "|" + bias.name(),
            "expected [" + size(Axis.OUTPUT) + "], found " + bias.shape(),
            "make the checkpoint again");
      }
    }

    void require(Axis axis, boolean holds, String expected) {
      if (!holds) {
        throw new MismatchException(
            "matrices of a block do not fit each other",
            checkpoint.path() + "|" + weight.name(),
            String.format(
                "expected %s as %s, found %d in %s", expected, axis, size(axis), weight.shape()),
            "is config.json that of another model?");
      }
    }

    Member divided(Axis axis, int units, List<Run> runs) {
      int each = runs.stream().mapToInt(Run::count).sum();
      require(axis, size(axis) == units * each, String.valueOf(units * each));
      return new Member(module, weight, transposed, bias, axis, size(axis), runs);
    }
  }
}
