package dev.smelt.gpu.statistics;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Tensors that are no file of their own: on the disk of another one until they are closed. */
final class HeldTensors implements Checkpoint {

  private final Path place;
  private final Scratch scratch;
  private final Map<String, TensorView> tensors = new LinkedHashMap<>();

  /**
   * @param place the file on whose disk they are
   */
  HeldTensors(Statistics.Source source, Path place) {
    this.place = place;
    this.scratch = Storage.local().scratch(place);
    try {
      Map<String, MemorySegment> segments = new LinkedHashMap<>();
      for (TensorInfo info : source.tensors()) {
        MemorySegment segment = scratch.allocate(info.bytes());
        segments.put(info.name(), segment);
        tensors.put(info.name(), new TensorView(info, segment));
      }
      source.read(
          (tensor, first, values) -> {
            MemorySegment segment = segments.get(tensor.name());
            if (segment == null) {
              throw new IllegalStateException(tensor.name() + " was not announced");
            }
            new TensorEncoder(tensor).encode(values, values.length, first, segment, first);
          });
    } catch (RuntimeException e) {
      scratch.close();
      throw e;
    }
  }

  @Override
  public Path path() {
    return place;
  }

  @Override
  public String kind() {
    return "statistics";
  }

  @Override
  public List<TensorView> tensors() {
    return List.copyOf(tensors.values());
  }

  @Override
  public Optional<TensorView> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Map<String, String> metadata() {
    return Map.of();
  }

  @Override
  public Optional<ModelConfig> config() {
    return Optional.empty();
  }

  @Override
  public List<Path> weightFiles() {
    return List.of();
  }

  @Override
  public List<Path> sideFiles() {
    return List.of();
  }

  @Override
  public void close() {
    scratch.close();
  }
}
