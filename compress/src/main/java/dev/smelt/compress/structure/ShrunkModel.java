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
import dev.smelt.formats.manifest.LeftOutRecord;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** A model that lacks hidden units, heads or blocks. Tensors are made when they are asked for. */
public final class ShrunkModel extends DerivedModel implements ThinnedModel {

  private final ModelConfig config;
  private final StructurePattern pattern;
  private final List<Removal> removals;
  private final List<String> notes;
  private final List<Fate> fates;
  private final Map<String, Fate> byName = new HashMap<>();
  private final Set<String> replaced = new HashSet<>();

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

  @Override
  public List<LeftOutRecord> unitsLeftOut() {
    return removals.stream()
        .filter(one -> one.count() > 0)
        .map(one -> new LeftOutRecord(one.layer(), pattern.toString(), one.of(), one.gone()))
        .toList();
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
    String reason = fate.reason();
    long before = fate.input().info().bytes();
    if (fate instanceof Fate.Goes goes) {
      return TensorRecord.dropped(name, goes.reason(), before);
    }
    long after = rounded(fate).bytes();
    boolean whole = fate instanceof Fate.Stays;
    if (replaced.contains(fate.output().name())) {
      return TensorRecord.tuned(
          name,
          whole ? TensorRecord.TUNED : fate.action(),
          whole ? reason : reason + ", then tuned",
          change(fate),
          before,
          after);
    }
    Double error = fate instanceof Fate.Refitted refitted ? refitted.error() : null;
    return whole
        ? TensorRecord.kept(name, reason, before, after)
        : TensorRecord.shrunk(name, String.valueOf(reason), error, before, after);
  }

  /** ‖W − Ŵ‖ / ‖W‖ of what stays of W. */
  private double change(Fate fate) {
    try (Scratch temporary = Storage.local().scratch(stored().place())) {
      return Slicer.change(fate, tensor(fate.output().name()), temporary);
    }
  }

  private TensorInfo rounded(Fate fate) {
    return fate.output().withFloatsAs(stored().dtype());
  }

  @Override
  public void replace(Map<String, TensorView> values) {
    put(values);
    replaced.addAll(values.keySet());
  }

  @Override
  public String kind() {
    return "shrunk " + source().kind();
  }

  @Override
  protected TensorView make(String tensor) {
    Fate fate = Objects.requireNonNull(byName.get(tensor), tensor);
    return fate instanceof Fate.Refitted refitted
        ? refitted.values()
        : stored().kept(Slicer.left(fate, scratch()), tensor);
  }

  @Override
  public Optional<ModelConfig> config() {
    return Optional.of(config);
  }
}
