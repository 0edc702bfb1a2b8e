package dev.smelt.compress.layer;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A model made of another one, before it is written: a checkpoint like any other, which a network
 * can be loaded from. Each tensor is made once, when it is asked for, and several threads may ask.
 * It lives as long as what it is made of; closing it frees what it made and nothing else.
 */
public abstract class DerivedModel implements Checkpoint {

  private final Checkpoint source;
  private final Scratch scratch;
  private final StoredTensors stored;
  private final SequencedMap<String, TensorInfo> infos = new LinkedHashMap<>();
  private final Map<String, TensorView> made = new ConcurrentHashMap<>();

  /**
   * @param infos of all tensors as they will be stored
   * @param scratch that {@code stored} and this model write to; closed with it
   */
  protected DerivedModel(
      Checkpoint source, List<TensorInfo> infos, Scratch scratch, StoredTensors stored) {
    this.source = source;
    this.scratch = scratch;
    this.stored = stored;
    infos.forEach(info -> this.infos.put(info.name(), info));
  }

  /** All tensors of a model, each in the type in which it will be stored. */
  protected static List<TensorInfo> infos(Checkpoint source, Optional<DType> dtype) {
    return source.infos().stream().map(info -> info.withFloatsAs(dtype)).toList();
  }

  /** A tensor as it will be stored. */
  protected abstract TensorView make(String name);

  /** What it was made of. */
  protected final Checkpoint source() {
    return source;
  }

  protected final Scratch scratch() {
    return scratch;
  }

  protected final StoredTensors stored() {
    return stored;
  }

  /** How a tensor will be stored. */
  protected final TensorInfo info(String name) {
    return Objects.requireNonNull(infos.get(name), name);
  }

  /** Whether the tensor has been made, or replaced. */
  protected final boolean isMade(String name) {
    return made.containsKey(name);
  }

  /**
   * Puts other values in place of tensors, rounded to the types in which these are stored.
   *
   * @param values by name
   * @throws IllegalArgumentException when one is of another shape
   */
  protected final void put(Map<String, TensorView> values) {
    values.forEach(
        (name, view) -> {
          TensorInfo info = info(name);
          if (!view.shape().equals(info.shape())) {
            throw new IllegalArgumentException(info + " cannot have the values of " + view.info());
          }
          made.put(name, stored.of(name, info.dtype(), info.shape(), view.toDoubles()));
        });
  }

  /** What will be written. */
  public final CheckpointWriter.Content content() {
    return new CheckpointWriter.Content(
        infos(), metadata(), config().map(config -> config.withDtype(stored.dtype())), sideFiles());
  }

  @Override
  public final Path path() {
    return source.path();
  }

  @Override
  public final List<TensorView> tensors() {
    return infos.keySet().stream().map(this::tensor).toList();
  }

  @Override
  public final Optional<TensorView> find(String name) {
    return infos.containsKey(name)
        ? Optional.of(made.computeIfAbsent(name, this::make))
        : Optional.empty();
  }

  @Override
  public final List<TensorInfo> infos() {
    return List.copyOf(infos.values());
  }

  @Override
  public final long bytes() {
    return infos.values().stream().mapToLong(TensorInfo::bytes).sum();
  }

  @Override
  public final long parameters() {
    return infos.values().stream().mapToLong(TensorInfo::elements).sum();
  }

  @Override
  public final Map<String, String> metadata() {
    LowRank lowRank = LowRank.of(source);
    return lowRank.modules().isEmpty() ? Map.of() : lowRank.headerMetadata();
  }

  @Override
  public Optional<ModelConfig> config() {
    return source.config();
  }

  @Override
  public final List<String> leftOut() {
    return source.leftOut();
  }

  @Override
  public final List<Path> weightFiles() {
    return source.weightFiles();
  }

  @Override
  public final List<Path> sideFiles() {
    return source.sideFiles();
  }

  @Override
  public final void close() {
    scratch.close();
  }
}
