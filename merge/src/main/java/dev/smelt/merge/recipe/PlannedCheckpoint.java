package dev.smelt.merge.recipe;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The result of a stage that has not been carried out: all that is known of it but its values. */
public final class PlannedCheckpoint implements Checkpoint {

  private final String name;
  private final StagePlan plan;
  private final List<TensorView> tensors;

  public PlannedCheckpoint(String name, StagePlan plan) {
    this.name = name;
    this.plan = plan;
    this.tensors = plan.outputs().stream().map(PlannedCheckpoint::view).toList();
  }

  private static TensorView view(TensorInfo info) {
    return TensorView.packed(
        info,
        info.bytes(),
        () -> {
          throw new IllegalStateException(info.name() + " is planned only");
        });
  }

  @Override
  public Path path() {
    return Path.of(name);
  }

  @Override
  public String kind() {
    return "result of stage " + name;
  }

  @Override
  public List<TensorView> tensors() {
    return tensors;
  }

  @Override
  public Optional<TensorView> find(String tensor) {
    return tensors.stream().filter(view -> view.name().equals(tensor)).findFirst();
  }

  @Override
  public Map<String, String> metadata() {
    return Map.of();
  }

  @Override
  public Optional<ModelConfig> config() {
    return plan.config();
  }

  @Override
  public List<Path> weightFiles() {
    return List.of();
  }

  @Override
  public List<Path> sideFiles() {
    return plan.donor().checkpoint().sideFiles();
  }

  @Override
  public void close() {
    // It holds nothing.
  }
}
