package dev.smelt.formats.model;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Anatomy.HeadCount;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The config of a network with fewer parts.
 *
 * @param notes on what other software makes of it, one sentence each
 */
public record RestatedConfig(ModelConfig config, List<String> notes) {

  private static final String LAYER_TYPES = "layer_types";
  private static final String MAX_WINDOW_LAYERS = "max_window_layers";

  /** Of transformers, where {@value #MAX_WINDOW_LAYERS} is absent. */
  private static final int USUAL_WINDOW_LAYERS = 28;

  /** Whose configs must have a hidden size that the number of heads divides, in transformers 5. */
  private static final Set<String> DIVIDED = Set.of("llama", "gemma2");

  public RestatedConfig {
    notes = List.copyOf(notes);
  }

  private static ModelConfig with(ModelConfig config, List<String> keys, int value) {
    ModelConfig changed = config.with(keys.getFirst(), value);
    for (String other : keys.subList(1, keys.size())) {
      if (!config.get(other).isMissingNode()) {
        changed = changed.with(other, value);
      }
    }
    return changed;
  }

  /** Of a network whose perceptrons have that many hidden units. */
  public static RestatedConfig withNeurons(Anatomy anatomy, ModelConfig config, int units) {
    return new RestatedConfig(with(config, anatomy.keys().inner(), units), List.of());
  }

  /**
   * Of a network that lacks heads, or groups of heads that share one of keys and values.
   *
   * @param couplings the heads of each block before
   * @param gone which of them are left out, by block, ascending
   * @throws UnsupportedException when all layers must have as many, and would not
   */
  public static RestatedConfig withoutHeads(
      Anatomy anatomy, ModelConfig config, List<Coupling> couplings, List<int[]> gone) {
    return anatomy.headCount() == HeadCount.BY_LAYER
        ? byLayer(anatomy, config, gone)
        : inAllLayers(anatomy, config, couplings, gone);
  }

  private static RestatedConfig byLayer(Anatomy anatomy, ModelConfig config, List<int[]> gone) {
    PrunedHeads heads = anatomy.prunedHeads(config);
    for (int block = 0; block < gone.size(); block++) {
      heads = heads.without(block, gone.get(block));
    }
    return new RestatedConfig(
        heads.in(config),
        heads.byLayer().isEmpty()
            ? List.of()
            : List.of(
                "heads that are gone are listed as "
                    + PrunedHeads.KEY
                    + " in config.json, which transformers reads up to version 4; version 5 has"
                    + " dropped it and refuses the shapes"));
  }

  private static RestatedConfig inAllLayers(
      Anatomy anatomy, ModelConfig config, List<Coupling> couplings, List<int[]> gone) {
    Coupling first = couplings.getFirst();
    int left = first.units() - gone.getFirst().length;
    for (int block = 0; block < couplings.size(); block++) {
      if (couplings.get(block).units() - gone.get(block).length != left) {
        throw unequal(anatomy, config, anatomy.keys().heads().getFirst());
      }
    }
    int heads = config.size(anatomy.keys().heads().getFirst());
    int group = heads / first.units();
    int width = first.consumer().size() / heads;
    ModelConfig changed =
        with(config, anatomy.keys().heads(), left * group)
            .with("num_key_value_heads", left)
            .with("head_dim", width);
    List<String> notes = new ArrayList<>();
    int hidden = config.size(anatomy.keys().width().getFirst());
    String type = anatomy.architecture().modelType();
    if (DIVIDED.contains(type) && hidden % (left * group) != 0) {
      notes.add(
          String.format(
              "transformers 5 refuses this config, since %d heads do not divide hidden_size %d;"
                  + " version 4 loads it",
              left * group, hidden));
    }
    if (type.equals("phi3") && hasFactors(config) && hidden / (left * group) != width) {
      notes.add(
          "transformers refuses this config, since it expects as many factors of rotary positions"
              + " as half of hidden_size / num_attention_heads");
    }
    return new RestatedConfig(changed, notes);
  }

  private static boolean hasFactors(ModelConfig config) {
    return config.get("rope_scaling").has("short_factor")
        || config.get("rope_parameters").has("short_factor");
  }

  /** A refusal of sizes that differ from layer to layer. */
  public static UnsupportedException unequal(Anatomy anatomy, ModelConfig config, String key) {
    return new UnsupportedException(
        "layers of unequal sizes cannot be stated",
        config.where(),
        "a config of model_type "
            + anatomy.architecture().modelType()
            + " has one "
            + key
            + " for all layers",
        "leave out as many of each layer: --scope tensor");
  }

  /**
   * Of a network with these of the blocks.
   *
   * @param kept in their new order, perhaps some several times
   * @throws UnsupportedException when a block would do something else in another place
   */
  public static RestatedConfig ofBlocks(Anatomy anatomy, ModelConfig config, int[] kept) {
    ModelConfig changed = with(config, anatomy.keys().blocks(), kept.length);
    if (anatomy.headCount() == HeadCount.BY_LAYER) {
      changed = anatomy.prunedHeads(config).ofLayers(kept).in(changed);
    }
    JsonNode types = config.get(LAYER_TYPES);
    List<String> notes = new ArrayList<>();
    if (types.isArray()) {
      if (types.size() != anatomy.blocks(config)) {
        throw new CorruptException(
            "wrong number of layer types",
            config.where(),
            "expected " + anatomy.blocks(config) + " in " + LAYER_TYPES + ", found " + types.size(),
            "");
      }
      List<JsonNode> left = new ArrayList<>();
      for (int block : kept) {
        left.add(types.get(block));
      }
      changed = changed.with(LAYER_TYPES, left);
    }
    return switch (anatomy.order()) {
      case NONE -> new RestatedConfig(changed, notes);
      case UPPER_WINDOWS -> new RestatedConfig(upperWindows(config, changed, kept), notes);
      case EVEN_WINDOWS -> evenWindows(config, changed, kept);
      case SCALE -> {
        requireFreeScale(config, kept);
        yield new RestatedConfig(changed, notes);
      }
    };
  }

  private static ModelConfig upperWindows(ModelConfig config, ModelConfig changed, int[] kept) {
    boolean stated = config.integer(MAX_WINDOW_LAYERS).isPresent();
    if (!stated && !config.flag("use_sliding_window", false)) {
      return changed;
    }
    int before = config.integer(MAX_WINDOW_LAYERS).orElse(USUAL_WINDOW_LAYERS);
    int below = 0;
    for (int i = 0; i < kept.length; i++) {
      if (kept[i] < before && below < i) {
        throw new UnsupportedException(
            "blocks cannot be stacked so",
            config.where(),
            MAX_WINDOW_LAYERS + " says that blocks with a window come after those without",
            "put those after block " + (before - 1) + " last");
      }
      below += kept[i] < before ? 1 : 0;
    }
    return below == kept.length ? changed : changed.with(MAX_WINDOW_LAYERS, below);
  }

  private static RestatedConfig evenWindows(ModelConfig config, ModelConfig changed, int[] kept) {
    boolean moved = false;
    List<String> types = new ArrayList<>();
    for (int i = 0; i < kept.length; i++) {
      moved |= kept[i] % 2 != i % 2;
      types.add(kept[i] % 2 == 0 ? "sliding_attention" : "full_attention");
    }
    JsonNode stated = config.get(LAYER_TYPES);
    boolean windowless = config.get("sliding_window").isNull();
    if (!moved || windowless) {
      return new RestatedConfig(changed, List.of());
    }
    return new RestatedConfig(
        stated.isArray() ? changed : changed.with(LAYER_TYPES, types),
        List.of(
            "blocks with and without a window no longer take turns, which "
                + LAYER_TYPES
                + " in config.json says; software that does not read it computes something else"));
  }

  private static void requireFreeScale(ModelConfig config, int[] kept) {
    boolean moved = false;
    for (int i = 0; i < kept.length; i++) {
      moved |= kept[i] != i;
    }
    if (moved && config.flag("scale_attn_by_inverse_layer_idx", false)) {
      throw new UnsupportedException(
          "blocks cannot be left out",
          config.where(),
          "scale_attn_by_inverse_layer_idx is true: a block would do something else in another"
              + " place",
          "leave out neurons or heads instead");
    }
  }
}
