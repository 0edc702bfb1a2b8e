package dev.smelt.merge.recipe;

import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.PrunedHeads;
import dev.smelt.formats.model.RestatedConfig;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/** The config of blocks that were taken out of their models and put together anew. */
final class StackedConfig {

  /** What says that one block is not like another. */
  private static final List<String> BY_BLOCK =
      List.of(
          "layer_types",
          "max_window_layers",
          "use_sliding_window",
          "sliding_window",
          "scale_attn_by_inverse_layer_idx",
          PrunedHeads.KEY);

  private StackedConfig() {}

  /**
   * @param blocks of the donor
   * @param configs of all models, the donor's among them
   * @param stage whose slices are put one after another
   * @throws UnsupportedException when blocks would do something else in another place, or in
   *     another model
   */
  static RestatedConfig of(Blocks blocks, List<ModelConfig> configs, Stage stage) {
    int[] kept =
        stage.slices().stream()
            .map(slice -> slice.sources().getFirst().layers().orElseThrow())
            .flatMapToInt(range -> IntStream.range(range.from(), range.to()))
            .toArray();
    Anatomy anatomy = blocks.anatomy();
    if (configs.stream().anyMatch(config -> dependsOnBlock(anatomy, config))) {
      requireAlike(blocks, configs, stage);
    } else {
      // All blocks are alike: any of the donor's stands for any other.
      int last = anatomy.blocks(blocks.config()) - 1;
      for (int i = 0; i < kept.length; i++) {
        kept[i] = Math.min(i, last);
      }
    }
    return RestatedConfig.ofBlocks(anatomy, blocks.config(), kept);
  }

  private static boolean dependsOnBlock(Anatomy anatomy, ModelConfig config) {
    JsonNode types = config.get("layer_types");
    boolean unlike = types.isArray() && types.valueStream().distinct().count() > 1;
    boolean byOrder =
        switch (anatomy.order()) {
          case NONE -> false;
          case UPPER_WINDOWS -> config.flag("use_sliding_window", false);
          case EVEN_WINDOWS -> !config.get("sliding_window").isNull();
          case SCALE -> config.flag("scale_attn_by_inverse_layer_idx", false);
        };
    return unlike || byOrder || PrunedHeads.areIn(config);
  }

  private static void requireAlike(Blocks blocks, List<ModelConfig> configs, Stage stage) {
    TreeSet<String> unlike = new TreeSet<>();
    for (ModelConfig config : configs) {
      unlike.addAll(config.keysUnlike(blocks.config()));
    }
    Stream<String> keys =
        Stream.concat(BY_BLOCK.stream(), blocks.anatomy().keys().blocks().stream());
    Optional<String> key = keys.filter(unlike::contains).findFirst();
    if (key.isPresent()) {
      throw refusal(stage.place(), "the models' configs differ in " + key.get());
    }
    for (OutputSlice slice : stage.slices()) {
      if (slice.sources().stream().map(Source::layers).distinct().count() > 1) {
        throw refusal(slice.place(), "blocks of different places are merged with each other");
      }
    }
  }

  private static UnsupportedException refusal(Place place, String found) {
    return new UnsupportedException(
        "blocks cannot be moved",
        place.toString(),
        "what a block does depends on its place in these models, and " + found,
        "");
  }
}
