package dev.smelt.merge.recipe;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.Anatomy.InBlock;
import dev.smelt.formats.model.TensorRole;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The blocks of the models of a stage, named as in the model whose config the output gets. */
final class Blocks {

  private static final String EMBEDDINGS = "embeddings.";

  private final Anatomy anatomy;
  private final ModelConfig config;

  /** By names without prefix, of tensors outside of all blocks. */
  private final Map<String, String> donorsNames = new HashMap<>();

  /** What comes before the number of a block: "model.layers." */
  private Optional<String> donorsPath = Optional.empty();

  /**
   * @throws UnsupportedException when the family is not known
   */
  Blocks(Stage stage, Checkpoint donor) {
    this.anatomy = Anatomy.known(donor).orElseThrow(() -> unknown(stage, donor));
    this.config = donor.config().orElseThrow();
    for (TensorInfo tensor : donor.infos()) {
      Optional<InBlock> place = anatomy.find(tensor.name());
      if (place.isEmpty()) {
        donorsNames.put(anatomy.architecture().bareName(tensor.name()), tensor.name());
      } else if (donorsPath.isEmpty()) {
        donorsPath = Optional.of(place.get().before());
      }
    }
  }

  private static UnsupportedException unknown(Stage stage, Checkpoint donor) {
    return new UnsupportedException(
        "blocks of this network are not known",
        stage.place().toString(),
        "layer_range and gradients need them, found "
            + donor
                .config()
                .flatMap(config -> config.text("model_type"))
                .map(type -> "model_type " + type + " in " + donor.path())
                .orElse("no model_type in " + donor.path()),
        "use models and values by filter instead");
  }

  Anatomy anatomy() {
    return anatomy;
  }

  /** Of the donor. */
  ModelConfig config() {
    return config;
  }

  /** How many a model has. */
  int count(Checkpoint model) {
    return model.config().map(anatomy::blocks).orElseGet(() -> anatomy.blocks(config));
  }

  Optional<InBlock> find(String tensor) {
    return anatomy.find(tensor);
  }

  /** Whether a tensor outside of the blocks is used before them; the others are used after. */
  boolean isInFront(TensorInfo tensor) {
    return anatomy.architecture().role(tensor) == TensorRole.EMBEDDING
        || anatomy.architecture().bareName(tensor.name()).startsWith(EMBEDDINGS);
  }

  /** The name in the output of a tensor outside of the blocks. */
  String nameOutside(String tensor) {
    return donorsNames.getOrDefault(anatomy.architecture().bareName(tensor), tensor);
  }

  /** The name in the output of a tensor in a block. */
  String nameIn(InBlock place, int block) {
    return donorsPath.orElse(place.before()) + block + "." + place.rest();
  }
}
