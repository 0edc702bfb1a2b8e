package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Coupling.Member;
import dev.smelt.formats.model.Coupling.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * What the blocks of a family of networks are made of, as data: which tensors hang together, and
 * how config.json says how many there are.
 *
 * @param architecture its naming rules
 * @param blocks bare path of a block, without its number: "h"
 * @param keys where the config has sizes
 * @param perceptron the layers around its hidden units
 * @param attention the layers around its heads
 * @param headCount how a config says that there are fewer heads
 * @param order what of a block depends on its number
 */
public record Anatomy(
    Architecture architecture,
    String blocks,
    Keys keys,
    Perceptron perceptron,
    Attention attention,
    HeadCount headCount,
    Order order) {

  /**
   * Keys of config.json. Of each the first is the family's own; the others are names that
   * transformers takes for the same, and which overrule it where they are there.
   */
  public record Keys(
      List<String> blocks, List<String> width, List<String> inner, List<String> heads) {}

  /**
   * @param in modules whose outputs are the hidden units, below a block
   * @param copies how often each of them has every unit: 2 for gate and up in one matrix
   * @param out the module whose inputs they are
   */
  public record Perceptron(List<String> in, int copies, String out) {}

  /**
   * @param in modules of queries, keys and values, or of all three
   * @param out the module whose inputs are the heads' outputs
   */
  public record Attention(List<String> in, Layout layout, String out) {}

  /** Where queries, keys and values lie. */
  public enum Layout {
    /** Each in a matrix of its own. */
    APART,
    /** Below each other in one matrix: those of all heads, one after another. */
    BELOW,
    /** Below each other, of one head after another. */
    BY_HEAD
  }

  /** How a config says that there are fewer heads. */
  public enum HeadCount {
    /**
     * With {@link PrunedHeads}, each layer for itself: the width of a head is the width / heads.
     */
    BY_LAYER,
    /** With the number of heads of all layers, and the width of a head. */
    IN_ALL_LAYERS,
    /** Not at all: the width of a head is that of the network / heads. */
    FIXED
  }

  /** What of a block depends on its number. */
  public enum Order {
    /** Nothing, unless {@code layer_types} says so. */
    NONE,
    /** {@code max_window_layers}: later ones see a window only. */
    UPPER_WINDOWS,
    /** Every other one sees a window only, the first one too. */
    EVEN_WINDOWS,
    /** The scale of attention, where {@code scale_attn_by_inverse_layer_idx} says so. */
    SCALE
  }

  /** A tensor of a block. */
  public record InBlock(String before, int block, String rest) {

    /** Its name in another block. */
    public String nameIn(int other) {
      return before + other + "." + rest;
    }
  }

  private static final String WEIGHT = ".weight";

  /**
   * @throws UnsupportedException when there is no config, or not of a family that is known
   */
  public static Anatomy of(Checkpoint checkpoint) {
    Optional<String> type = checkpoint.config().flatMap(config -> config.text("model_type"));
    return type.flatMap(Anatomies::named)
        .orElseThrow(
            () ->
                new UnsupportedException(
                    "parts of this network are not known",
                    checkpoint.path().toString(),
                    type.map(found -> "found model_type " + found)
                        .orElse("expected config.json with model_type"),
                    "known are "
                        + String.join(", ", Anatomies.names())
                        + "; single weights of any other may become zero"));
  }

  public int blocks(ModelConfig config) {
    return config.size(keys.blocks().getFirst());
  }

  /** Which block a tensor belongs to; empty for those outside of all blocks. */
  public Optional<InBlock> find(String tensor) {
    String bare = architecture.bareName(tensor);
    Matcher matcher =
        Pattern.compile("(" + Pattern.quote(blocks) + "\\.)(0|[1-9]\\d{0,8})\\.(.+)").matcher(bare);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    String prefix = tensor.substring(0, tensor.length() - bare.length());
    return Optional.of(
        new InBlock(
            prefix + matcher.group(1), Integer.parseInt(matcher.group(2)), matcher.group(3)));
  }

  /**
   * The hidden units of each block's perceptron.
   *
   * @throws NotFoundException when a matrix is missing
   * @throws MismatchException when matrices do not fit each other
   */
  public List<Coupling> neurons(Checkpoint checkpoint, ModelConfig config) {
    return IntStream.range(0, blocks(config))
        .mapToObj(
            block -> {
              Stored down = stored(checkpoint, block, perceptron.out());
              int units = down.size(Axis.INPUT);
              List<Run> runs = new ArrayList<>();
              for (int copy = 0; copy < perceptron.copies(); copy++) {
                runs.add(Run.each(copy * units, 1));
              }
              List<Member> up = new ArrayList<>();
              for (String module : perceptron.in()) {
                up.add(stored(checkpoint, block, module).divided(Axis.OUTPUT, units, runs));
              }
              List<Run> each = List.of(Run.each(0, 1));
              return new Coupling(block, units, up, down.divided(Axis.INPUT, units, each));
            })
        .toList();
  }

  /**
   * The heads of each block's attention; where several heads of queries share one of keys and
   * values, these groups.
   *
   * @throws UnsupportedException when the config could not say that there are fewer
   * @throws NotFoundException when a matrix is missing
   * @throws MismatchException when matrices do not fit each other, or not the config
   */
  public List<Coupling> heads(Checkpoint checkpoint, ModelConfig config) {
    if (headCount == HeadCount.FIXED) {
      throw new UnsupportedException(
          "heads cannot be left out",
          config.where(),
          "a config of model_type "
              + architecture.modelType()
              + " cannot say that there are fewer: the width of a head is "
              + keys.width().getFirst()
              + " / "
              + keys.heads().getFirst(),
          "leave out neurons or blocks instead");
    }
    PrunedHeads pruned = prunedHeads(config);
    return IntStream.range(0, blocks(config))
        .mapToObj(block -> heads(checkpoint, block, pruned.left(block)))
        .toList();
  }

  /** The heads that the layers lack already. */
  public PrunedHeads prunedHeads(ModelConfig config) {
    int heads = config.size(keys.heads().getFirst());
    if (headCount == HeadCount.BY_LAYER) {
      return PrunedHeads.of(config, blocks(config), heads);
    }
    if (PrunedHeads.areIn(config)) {
      throw new UnsupportedException(
          "pruned heads not supported",
          config.where(),
          "networks of model_type "
              + architecture.modelType()
              + " have no "
              + PrunedHeads.KEY
              + ", found "
              + config.get(PrunedHeads.KEY),
          "");
    }
    return PrunedHeads.of(config.without(PrunedHeads.KEY), blocks(config), heads);
  }

  private Coupling heads(Checkpoint checkpoint, int block, int queries) {
    Stored out = stored(checkpoint, block, attention.out());
    int all = out.size(Axis.INPUT);
    int width = all / queries;
    out.require(
        Axis.INPUT, width * queries > 0 && width * queries == all, "a multiple of " + queries);
    List<Stored> in =
        attention.in().stream().map(module -> stored(checkpoint, block, module)).toList();
    int shared = sharedHeads(in, width, queries);
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
  private int sharedHeads(List<Stored> in, int width, int queries) {
    Stored keys = in.get(attention.layout() == Layout.APART ? 1 : 0);
    int rows = keys.size(Axis.OUTPUT);
    int beside = attention.layout() == Layout.APART ? 0 : queries;
    int copies = attention.layout() == Layout.APART ? 1 : 2;
    int shared = (rows / width - beside) / copies;
    keys.require(
        Axis.OUTPUT,
        shared > 0 && queries % shared == 0 && rows == (beside + copies * shared) * width,
        "heads of " + width + ", whose number divides " + queries + ",");
    return shared;
  }

  private Stored stored(Checkpoint checkpoint, int block, String module) {
    String bare = blocks + "." + block + "." + module;
    String full = architecture.prefix() + bare;
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
    boolean transposed = architecture.role(weight.info()) == TensorRole.CONV1D;
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
