package dev.smelt.compress.expand;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Multiplies factors out, W = A·B, under the original names and in the original orientation. */
public final class Expander {

  private final Checkpoint checkpoint;
  private final Optional<DType> dtype;
  private final List<Output> outputs = new ArrayList<>();

  private sealed interface Output {
    TensorInfo info();

    /** What was in the input, in bytes. */
    long bytesBefore();
  }

  private record Copy(TensorInfo info, TensorView source) implements Output {
    @Override
    public long bytesBefore() {
      return source.info().bytes();
    }
  }

  private record Product(TensorInfo info, TensorView a, TensorView b, boolean transposed)
      implements Output {
    @Override
    public long bytesBefore() {
      return a.info().bytes() + b.info().bytes();
    }
  }

  /**
   * Plans the expansion.
   *
   * @param dtype of everything written; absent: each matrix as its factors
   * @throws MismatchException when there is nothing to expand or factors do not fit each other
   * @throws NotFoundException when a factor is missing
   */
  public Expander(Checkpoint checkpoint, Optional<DType> dtype) {
    this.checkpoint = checkpoint;
    this.dtype = dtype;
    LowRank lowRank = LowRank.of(checkpoint);
    if (lowRank.modules().isEmpty()) {
      throw new MismatchException(
          "nothing to expand", checkpoint.path().toString(), "the checkpoint is dense", "");
    }
    Map<String, Product> products = new HashMap<>();
    Map<String, String> renamed = new HashMap<>();
    lowRank
        .modules()
        .forEach(
            (name, module) -> {
              products.put(LowRank.factorA(name), product(name, module));
              renamed.put(LowRank.bias(name), name + ".bias");
            });
    for (TensorView tensor : checkpoint.tensors()) {
      Product product = products.get(tensor.name());
      if (product != null) {
        outputs.add(product);
      } else if (!isFactorB(lowRank, tensor.name())) {
        String name = renamed.getOrDefault(tensor.name(), tensor.name());
        outputs.add(new Copy(new TensorInfo(name, type(tensor), tensor.shape()), tensor));
      }
    }
  }

  private Product product(String name, LowRank.Module module) {
    TensorView a = checkpoint.tensor(LowRank.factorA(name));
    TensorView b = checkpoint.tensor(LowRank.factorB(name));
    boolean fits =
        a.shape().isMatrix()
            && b.shape().isMatrix()
            && a.shape().size(1) == module.rank()
            && b.shape().size(0) == module.rank();
    if (!fits) {
      throw new CorruptException(
          "factors do not fit each other",
          checkpoint.path() + "|" + name,
          "expected [out,"
              + module.rank()
              + "] and ["
              + module.rank()
              + ",in], found "
              + a.shape()
              + " and "
              + b.shape(),
          "");
    }
    long out = a.shape().size(0);
    long in = b.shape().size(1);
    Shape shape = module.transposed() ? Shape.of(in, out) : Shape.of(out, in);
    return new Product(new TensorInfo(name + ".weight", type(a), shape), a, b, module.transposed());
  }

  private static boolean isFactorB(LowRank lowRank, String name) {
    String suffix = LowRank.factorB("");
    return name.endsWith(suffix)
        && lowRank.modules().containsKey(name.substring(0, name.length() - suffix.length()));
  }

  private DType type(TensorView tensor) {
    return tensor.dtype().isFloat() ? dtype.orElse(tensor.dtype()) : tensor.dtype();
  }

  /** What will be written. */
  public CheckpointWriter.Content content() {
    Optional<ModelConfig> config = checkpoint.config().map(LowRank::undescribe);
    return new CheckpointWriter.Content(
        outputs.stream().map(Output::info).toList(),
        Map.of(),
        dtype.isPresent()
            ? config.map(dense -> dense.with("torch_dtype", dtype.get().torchName()))
            : config,
        checkpoint.sideFiles());
  }

  /** One record per tensor of the output. */
  public List<TensorRecord> records() {
    return outputs.stream()
        .map(
            output ->
                TensorRecord.of(
                    output.info().name(),
                    output instanceof Product ? TensorRecord.EXPANDED : TensorRecord.KEPT,
                    output.bytesBefore(),
                    output.info().bytes()))
        .toList();
  }

  /** Fills every slot of a writer made for {@link #content()}. */
  public void write(CheckpointWriter writer, ComputeDevice device, Progress progress) {
    try (Progress.Task task = progress.begin("expanding", outputs.size(), "tensors")) {
      for (Output output : outputs) {
        TensorSlot slot = writer.slot(output.info().name());
        switch (output) {
          case Copy copy -> slot.transfer(copy.source());
          case Product product -> multiply(product, slot, device);
        }
        task.advance(1);
      }
    }
  }

  private static void multiply(Product product, TensorSlot slot, ComputeDevice device) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix dense = algebra.multiply(load(algebra, product.a()), load(algebra, product.b()));
      double[] values = (product.transposed() ? algebra.transpose(dense) : dense).toDoubles();
      slot.write(0, values, values.length);
    }
  }

  private static Matrix load(LinearAlgebra algebra, TensorView factor) {
    return algebra.matrix(
        Math.toIntExact(factor.shape().size(0)),
        Math.toIntExact(factor.shape().size(1)),
        factor.toDoubles());
  }
}
