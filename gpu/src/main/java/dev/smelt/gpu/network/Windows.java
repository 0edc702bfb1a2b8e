package dev.smelt.gpu.network;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import tools.jackson.databind.JsonNode;

/** Which layers of a decoder see only the last {@code sliding_window} tokens. */
enum Windows {
  NONE,
  /** All, where there is a window. */
  EVERY_LAYER,
  /**
   * Those from {@code max_window_layers} on, if {@code use_sliding_window}; or as {@code
   * layer_types} says.
   */
  UPPER_LAYERS,
  /** The first, the third, …; or as {@code layer_types} says. */
  EVEN_LAYERS;

  private static final String SLIDING = "sliding_attention";
  private static final String FULL = "full_attention";
  private static final int MAX_WINDOW_LAYERS = 28;

  /**
   * The window of each layer, in tokens, the query's own included; none: all earlier tokens.
   *
   * @param absent the window where the config has no {@code sliding_window}
   * @throws UnsupportedException when {@code layer_types} asks for what the family does not have
   */
  List<OptionalInt> of(ModelConfig config, int layers, OptionalInt absent) {
    OptionalInt window = window(config, absent);
    JsonNode types = config.get("layer_types");
    if (types.isArray() && types.size() != layers) {
      throw new CorruptException(
          "wrong number of layer types",
          config.where(),
          "expected " + layers + " in layer_types, found " + types.size(),
          "");
    }
    List<OptionalInt> windows = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      boolean slides = slides(config, i) && window.isPresent();
      if (types.isArray()) {
        slides = slides(config, types.get(i).asString(""), slides, window);
      }
      windows.add(slides ? window : OptionalInt.empty());
    }
    return windows;
  }

  private OptionalInt window(ModelConfig config, OptionalInt absent) {
    boolean used = this != UPPER_LAYERS || config.flag("use_sliding_window", false);
    return used && this != NONE
        ? Configs.sizeOrNull(config, "sliding_window", absent)
        : OptionalInt.empty();
  }

  private boolean slides(ModelConfig config, int layer) {
    return switch (this) {
      case NONE -> false;
      case EVERY_LAYER -> true;
      case UPPER_LAYERS -> layer >= config.integer("max_window_layers").orElse(MAX_WINDOW_LAYERS);
      case EVEN_LAYERS -> layer % 2 == 0;
    };
  }

  /** What the config says of a layer, where that is possible. */
  private boolean slides(ModelConfig config, String type, boolean usual, OptionalInt window) {
    boolean free = this == UPPER_LAYERS || this == EVEN_LAYERS;
    boolean slides = type.equals(SLIDING);
    boolean known = slides || type.equals(FULL);
    if (!known || (!free && slides != usual) || (slides && window.isEmpty())) {
      throw new UnsupportedException(
          "type of layer not supported",
          config.where(),
          "found " + type + " in layer_types" + (slides ? ", but no window for it" : ""),
          "");
    }
    return slides;
  }
}
