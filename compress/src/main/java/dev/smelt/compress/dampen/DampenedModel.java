package dev.smelt.compress.dampen;

import dev.smelt.compress.dampen.Planned.Dampened;
import dev.smelt.compress.dampen.Planned.Kept;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.statistics.Statistics;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A model with weights {@link Dampening dampened}, before it is written: a checkpoint like any
 * other, whose tensors are made when they are asked for. It lives as long as the model and the
 * statistics that it is made of, which closing it leaves open.
 */
public final class DampenedModel implements Checkpoint {

  private final Checkpoint source;
  private final DampenPlan plan;
  private final SequencedMap<String, Planned> byName = new LinkedHashMap<>();
  private final DampenedTensors kernel;
  private final Scratch scratch;
  private final StoredTensors stored;
  private final Map<String, TensorView> made = new ConcurrentHashMap<>();

  private DampenedModel(
      Checkpoint source, DampenPlan plan, Dampening how, Scratch scratch, StoredTensors stored) {
    this.source = source;
    this.plan = plan;
    this.kernel = new DampenedTensors(how);
    this.scratch = scratch;
    this.stored = stored;
    plan.tensors().forEach(planned -> byName.put(planned.source().name(), planned));
  }

  /**
   * Plans what becomes of each tensor; no value is read.
   *
   * @param forget with Fisher information on the data to be forgotten
   * @param retain with that on the data to be retained
   * @param names of the tensors that may change
   * @param dtype of all floats that are written; absent: each tensor as it is
   * @param near the output, beside which tensors lie that are made before it is written
   * @throws dev.smelt.formats.SmeltException when model, statistics and names do not go together
   */
  public static DampenedModel of(
      Checkpoint source,
      Statistics forget,
      Statistics retain,
      Dampening how,
      NamePatterns names,
      Optional<DType> dtype,
      Path near) {
    DampenPlan plan = DampenPlan.of(source, forget, retain, names);
    Scratch scratch = Storage.local().scratch(near);
    return new DampenedModel(source, plan, how, scratch, new StoredTensors(scratch, near, dtype));
  }

  /** What a user should know. */
  public List<String> notes() {
    return plan.notes();
  }

  /** What will be written. */
  public CheckpointWriter.Content content() {
    return new CheckpointWriter.Content(
        infos(), metadata(), config().map(config -> config.withDtype(stored.dtype())), sideFiles());
  }

  /**
   * Fills every slot of a writer made for {@link #content()}, part by part.
   *
   * @return a record for each tensor
   * @throws NonFiniteException when a weight or its Fisher information is no number
   */
  public List<TensorRecord> write(CheckpointWriter writer, int threads, Progress progress) {
    Map<String, Lowered> found =
        new DampenedWriter(kernel, this::infoOf, writer, threads).write(plan.tensors(), progress);
    List<TensorRecord> records = new ArrayList<>();
    for (Planned planned : plan.tensors()) {
      TensorInfo info = planned.source().info();
      long after = infoOf(planned.source()).bytes();
      records.add(
          switch (planned) {
            case Kept kept ->
                TensorRecord.kept(info.name(), kept.reason().orElse(null), info.bytes(), after);
            case Dampened _ -> {
              Lowered lowered = found.getOrDefault(info.name(), Lowered.NONE);
              yield TensorRecord.dampened(
                  info.name(),
                  TensorRecord.Dampened.of(lowered.weights(), lowered.lowered(), lowered.zeroed()),
                  lowered.relativeError(),
                  info.bytes(),
                  after);
            }
          });
    }
    return records;
  }

  private TensorInfo infoOf(TensorView tensor) {
    return tensor.info().withFloatsAs(stored.dtype());
  }

  private TensorView view(Planned planned) {
    return switch (planned) {
      case Kept kept -> stored.kept(kept.source(), kept.source().name());
      case Dampened tensor -> made.computeIfAbsent(tensor.source().name(), name -> make(tensor));
    };
  }

  private TensorView make(Dampened tensor) {
    TensorInfo info = infoOf(tensor.source());
    MemorySegment bytes = scratch.allocate(info.bytes());
    kernel.write(tensor, info, bytes);
    return new TensorView(info, bytes);
  }

  @Override
  public Path path() {
    return source.path();
  }

  @Override
  public String kind() {
    return "dampened " + source.kind();
  }

  @Override
  public List<TensorView> tensors() {
    return plan.tensors().stream().map(this::view).toList();
  }

  @Override
  public Optional<TensorView> find(String name) {
    return Optional.ofNullable(byName.get(name)).map(this::view);
  }

  @Override
  public List<TensorInfo> infos() {
    return source.tensors().stream().map(this::infoOf).toList();
  }

  @Override
  public long bytes() {
    return infos().stream().mapToLong(TensorInfo::bytes).sum();
  }

  @Override
  public long parameters() {
    return source.parameters();
  }

  @Override
  public Map<String, String> metadata() {
    LowRank lowRank = LowRank.of(source);
    return lowRank.modules().isEmpty() ? Map.of() : lowRank.headerMetadata();
  }

  @Override
  public List<String> leftOut() {
    return source.leftOut();
  }

  @Override
  public Optional<ModelConfig> config() {
    return source.config();
  }

  @Override
  public List<Path> weightFiles() {
    return source.weightFiles();
  }

  @Override
  public List<Path> sideFiles() {
    return source.sideFiles();
  }

  @Override
  public void close() {
    scratch.close();
  }
}
