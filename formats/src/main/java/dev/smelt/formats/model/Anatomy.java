package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
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

  /** As {@link #of}; empty where the family is not known. */
  public static Optional<Anatomy> known(Checkpoint checkpoint) {
    return checkpoint
        .config()
        .flatMap(config -> config.text("model_type"))
        .flatMap(Anatomies::named);
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
    return new Couplings(this, checkpoint).neurons(blocks(config));
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
    Couplings couplings = new Couplings(this, checkpoint);
    return IntStream.range(0, blocks(config))
        .mapToObj(block -> couplings.heads(block, pruned.left(block)))
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
}
