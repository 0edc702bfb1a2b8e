package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A checkpoint under the name that a recipe gives it: the result of a stage; or, where nothing may
 * be computed, a model that stands for itself with an adapter laid over it.
 *
 * @param path that messages name
 */
record NamedCheckpoint(Path path, Checkpoint stored) implements Checkpoint {

  @Override
  public String kind() {
    return stored.kind();
  }

  @Override
  public List<TensorView> tensors() {
    return stored.tensors();
  }

  @Override
  public Optional<TensorView> find(String tensor) {
    return stored.find(tensor);
  }

  @Override
  public Map<String, String> metadata() {
    return stored.metadata();
  }

  @Override
  public Optional<ModelConfig> config() {
    return stored.config();
  }

  @Override
  public List<Path> weightFiles() {
    return stored.weightFiles();
  }

  @Override
  public List<Path> sideFiles() {
    return stored.sideFiles();
  }

  @Override
  public void close() {
    stored.close();
  }
}
