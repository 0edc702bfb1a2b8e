package dev.smelt.compress.delta;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.manifest.Hashing;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a fine-tuned model has beside its weights and its base has not. */
final class BesideAdapter {

  /** They say how a file was made, or of what type weights are, which is the base's affair. */
  private static final String[] INCIDENTAL = {
    "_name_or_path", "transformers_version", "torch_dtype", "dtype"
  };

  private BesideAdapter() {}

  /** The model's config with the base's type of weights, where it says anything else. */
  static Optional<ModelConfig> config(Checkpoint model, Checkpoint base) {
    if (model.config().isEmpty()) {
      return Optional.empty();
    }
    ModelConfig own = model.config().get();
    Optional<ModelConfig> other = base.config();
    boolean same =
        other
            .map(config -> config.without(INCIDENTAL).equals(own.without(INCIDENTAL)))
            .orElse(false);
    if (same) {
      return Optional.empty();
    }
    Optional<String> type = other.flatMap(config -> config.text("torch_dtype"));
    return Optional.of(type.map(name -> own.with("torch_dtype", name)).orElse(own));
  }

  /** Side files of the model that the base lacks or has with other content. */
  static List<Path> files(Checkpoint model, Checkpoint base) {
    Map<String, Path> others = new HashMap<>();
    base.sideFiles().forEach(file -> others.put(name(file), file));
    return model.sideFiles().stream()
        .filter(
            file -> {
              Path other = others.get(name(file));
              return other == null || !Hashing.sha256(file).equals(Hashing.sha256(other));
            })
        .toList();
  }

  private static String name(Path file) {
    return String.valueOf(file.getFileName());
  }
}
