package dev.smelt.formats.huggingface;

import dev.smelt.formats.CheckpointWriter.Content;
import dev.smelt.formats.packed.PackedFormat;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Names of weights in a written folder.
 *
 * @param stem of the file in one piece, of shards and of the index
 */
record WeightNames(String stem) {

  /** As the Hub names them and loaders look for them. */
  static final WeightNames PLAIN = new WeightNames("model");

  /**
   * Names that no loader looks for. One that took packed weights for plain ones would not find a
   * tensor that it knows, and begin with random values in its place.
   */
  static final WeightNames PACKED = new WeightNames("packed");

  static WeightNames of(Content content) {
    return PackedFormat.isMarked(content.metadata()) ? PACKED : PLAIN;
  }

  /** {@code model.safetensors}. */
  String single() {
    return stem + ".safetensors";
  }

  /** {@code model.safetensors.index.json}. */
  String index() {
    return single() + ".index.json";
  }

  /** One file, or {@code model-00002-of-00005.safetensors}. */
  List<String> files(int shards) {
    return shards == 1 ? List.of(single()) : numbered(shards);
  }

  /** Names beside which loaders look for an index, however many there are. */
  List<String> numbered(int shards) {
    return IntStream.rangeClosed(1, shards)
        .mapToObj(shard -> String.format("%s-%05d-of-%05d.safetensors", stem, shard, shards))
        .toList();
  }
}
