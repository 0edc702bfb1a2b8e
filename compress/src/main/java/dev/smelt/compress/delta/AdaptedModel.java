package dev.smelt.compress.delta;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.peft.AdaptedTensor;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.formats.peft.AdapterMatch;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Supplier;

/**
 * A base model with an adapter laid over it, as the dense checkpoint the two stand for. Changed
 * tensors are computed in f64 on opening, W + s·B·A, rounded once and kept in a nameless file on
 * disk; the others are the base's own.
 */
public final class AdaptedModel implements Checkpoint {

  private final Path path;
  private final Checkpoint base;
  private final Adapter adapter;
  private final Scratch scratch;
  private final SequencedMap<String, TensorView> tensors = new LinkedHashMap<>();
  private final SequencedMap<String, Change> changes = new LinkedHashMap<>();
  private final List<String> notes;

  /** What the adapter does to a tensor. */
  public enum Change {
    NONE,
    /** It holds the tensor in full. */
    REPLACED,
    /** It adds to the base's tensor, or to its own. */
    ADDED_TO
  }

  /** How changed tensors are made. */
  public record Work(Supplier<ComputeDevice> device, Path scratchNear, Progress progress) {}

  private AdaptedModel(Checkpoint base, Adapter adapter, AdapterMatch match, Scratch scratch) {
    this.path = adapter.path();
    this.base = base;
    this.adapter = adapter;
    this.scratch = scratch;
    this.notes = match.notes();
  }

  /**
   * @param adapterFolder in which PEFT or smelt has written
   * @param basePath the model that the adapter changes
   * @param dtype of changed tensors; absent: as in the base
   */
  public static AdaptedModel open(
      Path adapterFolder, Path basePath, Optional<DType> dtype, Work work) {
    List<AutoCloseable> opened = new ArrayList<>();
    boolean ready = false;
    try {
      Adapter adapter = Adapter.open(adapterFolder);
      opened.add(adapter);
      Checkpoint base = Checkpoint.open(basePath);
      opened.add(base);
      LowRank.requireDense(base);
      AdapterMatch match = AdapterMatch.of(base, adapter);
      Scratch scratch = Storage.local().scratch(work.scratchNear());
      opened.add(scratch);
      AdaptedModel model = new AdaptedModel(base, adapter, match, scratch);
      model.compute(match, dtype, work);
      ready = true;
      return model;
    } finally {
      if (!ready) {
        closeAll(opened);
      }
    }
  }

  private static void closeAll(List<AutoCloseable> opened) {
    for (AutoCloseable one : opened.reversed()) {
      try {
        one.close();
      } catch (Exception e) {
        throw new IllegalStateException("cannot close", e);
      }
    }
  }

  private void compute(AdapterMatch match, Optional<DType> dtype, Work work) {
    long changed = match.tensors().stream().filter(tensor -> !tensor.isAsStored()).count();
    try (Progress.Task task = work.progress().begin("applying the adapter", changed, "tensors")) {
      for (AdaptedTensor tensor : match.tensors()) {
        changes.put(tensor.name(), change(tensor));
        if (tensor.isAsStored()) {
          tensors.put(tensor.name(), named(tensor.name(), tensor.start()));
        } else {
          tensors.put(tensor.name(), computed(tensor, dtype, work.device()));
          task.advance(1);
        }
      }
    }
  }

  private static Change change(AdaptedTensor tensor) {
    if (!tensor.isAsStored()) {
      return Change.ADDED_TO;
    }
    return tensor.inAdapter() ? Change.REPLACED : Change.NONE;
  }

  private static TensorView named(String name, TensorView view) {
    return view.name().equals(name) ? view : view.renamed(name);
  }

  private TensorView computed(
      AdaptedTensor tensor, Optional<DType> dtype, Supplier<ComputeDevice> device) {
    double[] values = AdaptedValues.of(tensor, device);
    TensorInfo info = tensor.info().withFloatsAs(dtype);
    MemorySegment bytes = scratch.allocate(info.bytes());
    new TensorEncoder(info).encode(values, bytes);
    return new TensorView(info, bytes);
  }

  /** For each tensor, in order. */
  public SequencedMap<String, Change> changes() {
    return Collections.unmodifiableSequencedMap(changes);
  }

  /** What a user should know of the model. */
  public List<String> notes() {
    return notes;
  }

  /** The two that the model is made of. */
  public Checkpoint base() {
    return base;
  }

  public Adapter adapter() {
    return adapter;
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public String kind() {
    return "adapter on " + base.path();
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
    return base.metadata();
  }

  @Override
  public List<String> leftOut() {
    return base.leftOut();
  }

  /** The adapter's own, where it lies beside it: the fine-tuned model may have another. */
  @Override
  public Optional<ModelConfig> config() {
    return adapter.modelConfig().or(base::config);
  }

  @Override
  public List<Path> weightFiles() {
    List<Path> files = new ArrayList<>(base.weightFiles());
    files.addAll(adapter.weights().weightFiles());
    return files;
  }

  /** The base's, and in place of those of the same name the adapter's. */
  @Override
  public List<Path> sideFiles() {
    Map<String, Path> files = new LinkedHashMap<>();
    base.sideFiles().forEach(file -> files.put(String.valueOf(file.getFileName()), file));
    adapter.sideFiles().forEach(file -> files.put(String.valueOf(file.getFileName()), file));
    return List.copyOf(files.values());
  }

  @Override
  public void close() {
    closeAll(List.of(adapter, base, scratch));
  }
}
