package dev.smelt.compress.delta;

import dev.smelt.compress.delta.DeltaPlan.Planned;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.peft.AdapterWriter;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * What fine-tuning changed, Δ = W − W_base, as a LoRA adapter: for every matrix that differs the
 * best factors of some rank in a metric, ‖L(Δ − BA)R‖ least, with A = √S Vᵀ and B = U√S in the
 * plain one; every other tensor that differs in full. Factors lie on disk until all ranks are
 * known.
 */
public final class Delta implements AutoCloseable {

  private final Checkpoint model;
  private final Checkpoint base;
  private final Scratch scratch;
  private final AdapterLayout layout;
  private final List<String> notes;

  private Delta(
      Checkpoint model,
      Checkpoint base,
      Scratch scratch,
      AdapterLayout layout,
      List<String> notes) {
    this.model = model;
    this.base = base;
    this.scratch = scratch;
    this.layout = layout;
    this.notes = List.copyOf(notes);
  }

  /**
   * Decomposes every change.
   *
   * @throws MismatchException when one of the two is factorised, or they are no model and its base
   */
  public static Delta between(
      Checkpoint model,
      Checkpoint base,
      DeltaOptions options,
      ComputeDevice device,
      Path target,
      Progress progress) {
    LowRank.requireDense(model);
    LowRank.requireDense(base);
    DeltaPlan plan = new DeltaPlanner(model, base, options.selection()).plan();
    Scratch scratch = Storage.local().scratch(target);
    boolean ready = false;
    try {
      List<Outcome> outcomes = decompose(plan, options, device, scratch, progress);
      OptionalInt uniformRank =
          options.uniform() ? makeUniform(outcomes, options) : OptionalInt.empty();
      AdapterLayout layout = new AdapterLayout(model, outcomes, uniformRank);
      List<String> notes = new ArrayList<>(plan.notes());
      if (outcomes.stream().noneMatch(Outcome.Factored.class::isInstance)) {
        notes.add("no matrix became factors; PEFT does not load an adapter without any");
      }
      Delta delta = new Delta(model, base, scratch, layout, notes);
      ready = true;
      return delta;
    } finally {
      if (!ready) {
        scratch.close();
      }
    }
  }

  private static List<Outcome> decompose(
      DeltaPlan plan,
      DeltaOptions options,
      ComputeDevice device,
      Scratch scratch,
      Progress progress) {
    long changed = plan.tensors().stream().filter(Planned.Changed.class::isInstance).count();
    DeltaDecomposer decomposer = new DeltaDecomposer(device, options);
    List<Outcome> outcomes = new ArrayList<>();
    try (Progress.Task task = progress.begin("decomposing", changed, "matrices")) {
      for (Planned planned : plan.tensors()) {
        if (planned instanceof Planned.Changed(ChangedMatrix matrix)) {
          outcomes.add(spill(decomposer.decompose(matrix), scratch));
          task.advance(1);
        } else {
          outcomes.add(new Outcome.Planned(planned));
        }
      }
    }
    return outcomes;
  }

  private static Outcome spill(Outcome outcome, Scratch scratch) {
    return switch (outcome) {
      case Outcome.Planned planned -> planned;
      case Outcome.Factored factored ->
          new Outcome.Factored(
              factored.matrix(),
              factored.rank(),
              spill(factored.a(), scratch),
              spill(factored.b(), scratch),
              factored.certificate(),
              factored.relativeToTensor(),
              factored.route(),
              factored.shrinkage(),
              factored.remark());
    };
  }

  private static TensorView spill(TensorView view, Scratch scratch) {
    return new TensorView(view.info(), scratch.store(view.segment()));
  }

  /**
   * The largest rank, once those have become whole whose factors would be too large at it. Each of
   * them may lower the rank, and so keep others.
   */
  private static OptionalInt makeUniform(List<Outcome> outcomes, DeltaOptions options) {
    while (true) {
      int rank =
          outcomes.stream()
              .mapToInt(outcome -> outcome instanceof Outcome.Factored f ? f.rank() : 0)
              .max()
              .orElse(0);
      int largest = -1;
      for (int i = 0; i < outcomes.size() && !options.allowLarger(); i++) {
        if (outcomes.get(i) instanceof Outcome.Factored factored
            && !factored.matrix().isSmallerAt(rank)
            && (largest < 0 || factored.rank() > rank(outcomes.get(largest)))) {
          largest = i;
        }
      }
      if (largest < 0) {
        return rank == 0 ? OptionalInt.empty() : OptionalInt.of(rank);
      }
      outcomes.set(
          largest,
          new Outcome.Planned(
              new Planned.Whole(
                  outcomes.get(largest).tuned(),
                  "factors of the uniform rank " + rank + " would not be smaller")));
    }
  }

  private static int rank(Outcome outcome) {
    return outcome instanceof Outcome.Factored factored ? factored.rank() : 0;
  }

  /**
   * What will be written.
   *
   * @param baseName by which loaders find the base
   */
  public AdapterWriter.Content content(String baseName) {
    return new AdapterWriter.Content(
        layout.config(baseName),
        layout.outputs().stream().map(AdapterLayout.Output::info).toList(),
        BesideAdapter.config(model, base),
        BesideAdapter.files(model, base));
  }

  /** One record per tensor of the model, in its order. */
  public List<TensorRecord> records() {
    return layout.records();
  }

  /** What the user should know of the adapter as a whole. */
  public List<String> notes() {
    return notes;
  }

  /** Fills every slot of a writer made for {@link #content}. */
  public void write(AdapterWriter writer) {
    for (AdapterLayout.Output output : layout.outputs()) {
      TensorSlot slot = writer.slot(output.info().name());
      if (output.info().shape().equals(output.source().shape())) {
        slot.transfer(output.source());
      } else {
        writeFilledUp(slot, output.source());
      }
    }
  }

  /** Row by row; what the source has not stays zero. */
  private static void writeFilledUp(TensorSlot slot, TensorView source) {
    int columns = Math.toIntExact(source.shape().size(1));
    int wide = Math.toIntExact(slot.info().shape().size(1));
    for (long row = 0; row < slot.info().shape().size(0); row++) {
      double[] values = new double[wide];
      if (row < source.shape().size(0)) {
        source.read(row * columns, columns, values);
      }
      slot.write(row * wide, values, wide);
    }
  }

  @Override
  public void close() {
    scratch.close();
  }
}
