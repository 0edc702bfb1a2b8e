package dev.smelt.compress.expand;

import dev.smelt.compress.expand.DenseTensor.Product;
import dev.smelt.compress.expand.DenseTensor.Stored;
import dev.smelt.compress.modeling.ModelingCode;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DenseWeights;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** Writes the dense model that a compressed checkpoint stands for. */
public final class Expander {

  private final Checkpoint checkpoint;
  private final Optional<DType> dtype;
  private final DenseModel model;

  /**
   * Plans the expansion.
   *
   * @param dtype of everything written; absent: each matrix as its factors
   * @throws MismatchException when there is nothing to expand
   * @throws CorruptException when factors and their list do not fit each other
   */
  public Expander(Checkpoint checkpoint, Optional<DType> dtype) {
    this.checkpoint = checkpoint;
    this.dtype = dtype;
    this.model = DenseModel.of(checkpoint);
    if (!model.isFactorized() && !checkpoint.isPacked()) {
      throw new MismatchException(
          "nothing to expand",
          checkpoint.path().toString(),
          "expected factors or packed tensors, found a dense checkpoint",
          "use it as it is");
    }
    requireNoStrayFactors();
  }

  /** A factor that belongs to no listed module would stay one, under a name no model knows. */
  private void requireNoStrayFactors() {
    Architecture architecture = Architecture.of(checkpoint.config());
    for (DenseTensor tensor : model.tensors()) {
      if (architecture.role(tensor.info()) == TensorRole.FACTOR) {
        throw new CorruptException(
            "factor of an unlisted module",
            checkpoint.path() + "|" + tensor.info().name(),
            "expected its module under low_rank_modules",
            "add it or make the checkpoint again");
      }
    }
  }

  /** Whether factors are to be multiplied, for which a device is needed. */
  public boolean multiplies() {
    return model.isFactorized();
  }

  /** What will be written. */
  public CheckpointWriter.Content content() {
    return new CheckpointWriter.Content(
        model.tensors().stream().map(this::output).toList(),
        // Of factors there is nothing else in it than what they are.
        multiplies() ? Map.of() : checkpoint.metadata(),
        checkpoint
            .config()
            .map(LowRank::undescribe)
            .map(ModelingCode::undescribe)
            .map(dense -> dense.withDtype(dtype)),
        ModelingCode.without(checkpoint.sideFiles()));
  }

  /** One record per tensor of the output. */
  public List<TensorRecord> records() {
    return model.tensors().stream()
        .map(
            tensor ->
                TensorRecord.of(
                    tensor.info().name(),
                    tensor instanceof Product ? TensorRecord.EXPANDED : TensorRecord.KEPT,
                    tensor.storedBytes(),
                    output(tensor).bytes()))
        .toList();
  }

  /**
   * Fills every slot of a writer made for {@link #content()}.
   *
   * @param device opened for the first product
   */
  public void write(CheckpointWriter writer, Supplier<ComputeDevice> device, Progress progress) {
    try (Progress.Task task = progress.begin("expanding", model.tensors().size(), "tensors")) {
      for (DenseTensor tensor : model.tensors()) {
        TensorSlot slot = writer.slot(tensor.info().name());
        switch (tensor) {
          case Stored stored -> slot.transfer(stored.view());
          case Product product ->
              DenseWeights.read(
                  product.factors(),
                  device.get(),
                  (first, values) -> slot.write(first, values, values.length));
        }
        task.advance(1);
      }
    }
  }

  private TensorInfo output(DenseTensor tensor) {
    return tensor.info().withFloatsAs(dtype);
  }
}
