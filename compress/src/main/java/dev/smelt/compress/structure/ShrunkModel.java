package dev.smelt.compress.structure;

import dev.smelt.compress.layer.DerivedModel;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** A model that lacks hidden units, heads or blocks. Tensors are made when they are asked for. */
public final class ShrunkModel extends DerivedModel implements ThinnedModel {

  private final ModelConfig config;
  private final StructurePattern pattern;
  private final List<Removal> removals;
  private final List<String> notes;
  private final List<Fate> fates;
  private final Map<String, Fate> byName = new HashMap<>();

  /**
   * @param fates of all tensors, in the order of the source
   * @param scratch becomes this model's own
   */
  ShrunkModel(
      Checkpoint source,
      ModelConfig config,
      StructurePattern pattern,
      List<Removal> removals,
      List<String> notes,
      List<Fate> fates,
      Scratch scratch,
      StoredTensors stored) {
    super(source, infos(fates, stored), scratch, stored);
    this.config = config;
    this.pattern = pattern;
    this.removals = List.copyOf(removals);
    this.notes = List.copyOf(notes);
    this.fates = List.copyOf(fates);
    for (Fate fate : fates) {
      if (!(fate instanceof Fate.Goes)) {
        byName.put(fate.output().name(), fate);
      }
    }
  }

  public StructurePattern pattern() {
    return pattern;
  }

  /** What is left out of each block in turn; of whole blocks, one for the model. */
  public List<Removal> removals() {
    return removals;
  }

  /** How many units are left out, of all blocks together. */
  public int removed() {
    return removals.stream().mapToInt(Removal::count).sum();
  }

  /** How many units there were, of all blocks together. */
  public int units() {
    return removals.stream().mapToInt(Removal::of).sum();
  }

  @Override
  public List<String> notes() {
    return notes;
  }

  private static List<TensorInfo> infos(List<Fate> fates, StoredTensors stored) {
    return fates.stream()
        .filter(fate -> !(fate instanceof Fate.Goes))
        .map(fate -> fate.output().withFloatsAs(stored.dtype()))
        .toList();
  }

  @Override
  public List<TensorRecord> write(CheckpointWriter writer, int threads, Progress progress) {
    List<TensorInfo> infos = infos();
    try (Progress.Task task = progress.begin("writing", infos.size(), "tensors")) {
      List<Workers.Job> jobs = new ArrayList<>();
      for (TensorInfo info : infos) {
        jobs.add(
            () -> {
              writer.slot(info.name()).transfer(tensor(info.name()));
              task.advance(1);
            });
      }
      Workers.run(threads, jobs);
    }
    return records();
  }

  /** The matrices of attention and perceptrons. */
  @Override
  public List<String> trainable() {
    Architecture architecture = Architecture.of(config());
    return infos().stream()
        .filter(info -> architecture.role(info).isBlockMatrix())
        .map(TensorInfo::name)
        .toList();
  }

  /** One record per tensor of the source, in its order. */
  public List<TensorRecord> records() {
    return fates.stream().map(this::record).toList();
  }

  private TensorRecord record(Fate fate) {
    String name = fate.input().name();
    long before = fate.input().info().bytes();
    return switch (fate) {
      case Fate.Stays stays ->
          TensorRecord.kept(
              name,
              stays.name().equals(name) ? null : "now " + stays.name(),
              before,
              rounded(fate).bytes());
      case Fate.Cut cut ->
          TensorRecord.shrunk(name, cut.what(), null, before, rounded(fate).bytes());
      case Fate.Refitted refitted ->
          TensorRecord.shrunk(
              name,
              refitted.what() + ", the others refitted",
              refitted.error(),
              before,
              rounded(fate).bytes());
      case Fate.Goes goes ->
          TensorRecord.dropped(name, "in block " + goes.block() + ", which is left out", before);
    };
  }

  private TensorInfo rounded(Fate fate) {
    return fate.output().withFloatsAs(stored().dtype());
  }

  @Override
  public void replace(Map<String, TensorView> values) {
    put(values);
  }

  @Override
  public String kind() {
    return "shrunk " + source().kind();
  }

  @Override
  protected TensorView make(String tensor) {
    return switch (Objects.requireNonNull(byName.get(tensor), tensor)) {
      case Fate.Stays(TensorView input, String name) -> stored().kept(input, name);
      case Fate.Cut(TensorView input, int axis, int[] kept, String _) ->
          stored().kept(Slicer.cut(input, axis, kept, scratch()), input.name());
      case Fate.Refitted refitted -> refitted.values();
      case Fate.Goes goes -> throw new IllegalArgumentException(goes.input().name());
    };
  }

  @Override
  public Optional<ModelConfig> config() {
    return Optional.of(config);
  }
}
