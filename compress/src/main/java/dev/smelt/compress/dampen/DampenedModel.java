package dev.smelt.compress.dampen;

import dev.smelt.compress.dampen.Planned.Dampened;
import dev.smelt.compress.dampen.Planned.Kept;
import dev.smelt.compress.layer.DerivedModel;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
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
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A model with weights {@link Dampening dampened}. It lives as long as the model and the statistics
 * that it is made of.
 */
public final class DampenedModel extends DerivedModel {

  private final DampenPlan plan;
  private final SequencedMap<String, Planned> byName = new LinkedHashMap<>();
  private final DampenedTensors kernel;

  private DampenedModel(
      Checkpoint source, DampenPlan plan, Dampening how, Scratch scratch, StoredTensors stored) {
    super(source, infos(source, stored.dtype()), scratch, stored);
    this.plan = plan;
    this.kernel = new DampenedTensors(how);
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

  /**
   * Fills every slot of a writer made for {@link #content()}, part by part.
   *
   * @return a record for each tensor
   * @throws NonFiniteException when a weight or its Fisher information is no number
   */
  public List<TensorRecord> write(CheckpointWriter writer, int threads, Progress progress) {
    Map<String, Lowered> found =
        new DampenedWriter(kernel, tensor -> info(tensor.name()), writer, threads)
            .write(plan.tensors(), progress);
    List<TensorRecord> records = new ArrayList<>();
    for (Planned planned : plan.tensors()) {
      TensorInfo info = planned.source().info();
      long after = info(planned.source().name()).bytes();
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

  @Override
  protected TensorView make(String name) {
    return switch (Objects.requireNonNull(byName.get(name), name)) {
      case Kept kept -> stored().kept(kept.source(), name);
      case Dampened tensor -> {
        MemorySegment bytes = scratch().allocate(info(name).bytes());
        kernel.write(tensor, info(name), bytes);
        yield new TensorView(info(name), bytes);
      }
    };
  }

  @Override
  public String kind() {
    return "dampened " + source().kind();
  }
}
