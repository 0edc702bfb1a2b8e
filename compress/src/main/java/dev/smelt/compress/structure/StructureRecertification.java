package dev.smelt.compress.structure;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.Grams;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Coupling;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** What a model without some units must be, made again from the original and their numbers. */
public final class StructureRecertification {

  private final Units units;
  private final Optional<DType> dtype;

  private StructureRecertification(Units units, Optional<DType> dtype) {
    this.units = units;
    this.dtype = dtype;
  }

  /**
   * @param dtype of all floats that were written; absent: as they were
   * @throws UnsupportedException when the parts of the network are not known
   * @throws MismatchException when the checkpoint does not fit its config
   */
  public static StructureRecertification of(
      Checkpoint original, StructurePattern pattern, Optional<DType> dtype) {
    return new StructureRecertification(Units.of(original, pattern), dtype);
  }

  /** The layers that have units, with nothing gone. */
  public List<Removal> layers() {
    return units.layers();
  }

  /**
   * @param gone numbers of the units that go, ascending, in range and not all, by layer; layers
   *     without any may be missing
   */
  public Without without(Map<String, List<Integer>> gone) {
    return new Without(
        layers().stream()
            .map(layer -> gone.getOrDefault(layer.layer(), List.of()))
            .map(numbers -> numbers.stream().mapToInt(Integer::intValue).toArray())
            .toList());
  }

  /** The model without some units. */
  public final class Without {

    private final List<int[]> gone;

    private Without(List<int[]> gone) {
      this.gone = gone;
    }

    /**
     * As it is written.
     *
     * @throws UnsupportedException when no config can say that these units are gone
     */
    public ModelConfig config() {
      return units.restated(gone).config().withDtype(dtype);
    }

    /** Of all tensors of the original, in its order. */
    public List<Tensor> tensors() {
      return units.fates(gone).stream().map(Tensor::new).toList();
    }
  }

  /** What must have become of a tensor. */
  public final class Tensor {

    private final Fate fate;

    private Tensor(Fate fate) {
      this.fate = fate;
    }

    /** Its name in the original. */
    public String name() {
      return fate.input().name();
    }

    /** As of {@link dev.smelt.formats.manifest.TensorRecord}. */
    public String action() {
      return fate.action();
    }

    /** As it is written; absent where it is gone. */
    public Optional<TensorInfo> output() {
      return fate instanceof Fate.Goes
          ? Optional.empty()
          : Optional.of(fate.output().withFloatsAs(dtype));
    }

    /** Whether it has the original's values, bit for bit but for its type. */
    public boolean isLeft(TensorView written) {
      try (Scratch scratch = temporary()) {
        StoredTensors stored = new StoredTensors(scratch, folder(), dtype);
        return stored.kept(Slicer.left(fate, scratch), written.name()).sameBits(written);
      }
    }

    /** ‖W − Ŵ‖ / ‖W‖ of what stays of W. */
    public double change(TensorView written) {
      try (Scratch scratch = temporary()) {
        return Slicer.change(fate, written, scratch);
      }
    }

    /**
     * √(E‖Wx − Ŵx‖² / E‖Wx‖²) of a matrix that read units which are gone; absent for others.
     *
     * @param statistics with Gram matrices of inputs
     */
    public OptionalDouble outputError(
        TensorView written, Statistics statistics, ComputeDevice device) {
      for (Coupling coupling : units.couplings()) {
        Layer layer = units.consumer(coupling);
        if (fate instanceof Fate.Cut cut && layer.weight().name().equals(name())) {
          TensorView gram = Grams.ofInputs(statistics, layer).view();
          return OptionalDouble.of(OutputError.of(device, layer, written, cut.kept(), gram));
        }
      }
      return OptionalDouble.empty();
    }
  }

  /** Verification writes nothing beside what it looks at. */
  private static Path folder() {
    return Path.of(System.getProperty("java.io.tmpdir"));
  }

  private static Scratch temporary() {
    return Storage.local().scratch(folder());
  }
}
