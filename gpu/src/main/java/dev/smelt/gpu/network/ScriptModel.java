package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.TensorBatch;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.ScriptRunner;
import dev.smelt.gpu.torch.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * The forward pass of a TorchScript module. What happens inside is not known, so gradients are
 * those of whole parameters.
 */
final class ScriptModel implements Model {

  private final ScriptRunner runner;
  private final List<Parameter> parameters;
  private final Path path;

  ScriptModel(ScriptRunner runner, List<Parameter> parameters, Path path) {
    this.runner = runner;
    this.parameters = List.copyOf(parameters);
    this.path = path;
  }

  @Override
  public Optional<String> singleExamples() {
    return Optional.of("a TorchScript module gives whole gradients only");
  }

  @Override
  public NDArray logits(NDManager manager, Batch batch, Tape tape) {
    NDArray input = input(manager, batch);
    if (!tape.isRecording()) {
      // Its parameters require gradients: without this every array of the pass would be kept.
      NDArray[] output = new NDArray[1];
      Autograd.unrecorded(() -> output[0] = runner.forward(manager, input));
      return logits(output[0], batch);
    }
    // Gradients of leaves add up over backward passes.
    parameters.forEach(parameter -> Autograd.clear(parameter.value()));
    NDArray output = runner.forward(manager, input);
    parameters.forEach(parameter -> tape.whole(parameter, parameter.value()));
    return logits(output, batch);
  }

  private static NDArray input(NDManager manager, Batch batch) {
    return switch (batch) {
      case TensorBatch values -> {
        long[] sizes =
            LongStream.concat(LongStream.of(values.size()), values.shape().sizes()).toArray();
        yield Tensors.ofFloats(manager, values.elements(), sizes);
      }
      case TokenBatch tokens -> {
        if (tokens.isPadded()) {
          throw new UsageException(
              "a TorchScript module cannot be told which tokens are padding, and the sequences of"
                  + " a batch have different lengths",
              "use --batch 1");
        }
        yield Tensors.ofInts(manager, tokens.ids(), tokens.size(), tokens.length());
      }
    };
  }

  /** [B, classes] becomes [B, 1, classes]. */
  private NDArray logits(NDArray output, Batch batch) {
    Shape shape = output.getShape();
    int rank = shape.dimension();
    if (output.getDataType() != DataType.FLOAT32
        || (rank != 2 && rank != 3)
        || shape.get(0) != batch.size()) {
      throw new UnsupportedException(
          "output of a TorchScript module is no logits",
          path.toString(),
          "expected f32 ["
              + batch.size()
              + ", classes] or ["
              + batch.size()
              + ", tokens, vocabulary], found "
              + output.getDataType()
              + " "
              + shape,
          "wrap the module so that forward returns logits");
    }
    NDArray logits = rank == 2 ? output.reshape(shape.get(0), 1, shape.get(1)) : output;
    requireTargets(logits.getShape(), batch);
    return logits;
  }

  private void requireTargets(Shape logits, Batch batch) {
    if (logits.get(1) != batch.predictionsPerExample()) {
      throw new MismatchException(
          "the TorchScript module predicts something else than the data says",
          path.toString(),
          "gives "
              + logits.get(1)
              + " predictions for an example, the data has "
              + batch.predictionsPerExample(),
          "");
    }
    int largest = Arrays.stream(batch.targets()).max().orElse(Batch.NO_TARGET);
    if (largest >= logits.get(2)) {
      throw new MismatchException(
          "the data has more classes than the TorchScript module",
          path.toString(),
          "class " + largest + " in the data, " + logits.get(2) + " logits",
          "");
    }
  }
}
