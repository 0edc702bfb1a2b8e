package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a stage of a recipe has made, under the name that the recipe gives it.
 *
 * @param stored where it lies until the recipe is done
 */
record StageResult(String name, Checkpoint stored) implements Checkpoint {

  @Override
  public Path path() {
    return Path.of(name);
  }

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
