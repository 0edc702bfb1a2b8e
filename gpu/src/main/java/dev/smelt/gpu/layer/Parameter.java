package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.Tensors;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A learned tensor of a checkpoint, in its stored shape and orientation. Layers that share weights
 * share the parameter; identity is what tells.
 */
public final class Parameter {

  private final TensorView view;
  private @Nullable NDArray value;

  Parameter(TensorView view) {
    this.view = view;
  }

  /** Name and shape in the checkpoint. */
  public TensorInfo info() {
    return view.info();
  }

  public String name() {
    return view.name();
  }

  /** The tensors of the checkpoint that hold it. */
  public List<String> holders() {
    return view.stored().stream().map(TensorView::name).toList();
  }

  /** A parameter that a module of its own holds; its value requires a gradient. */
  public static Parameter leaf(TensorView view, NDArray value) {
    Parameter parameter = new Parameter(view);
    parameter.value = value;
    return parameter;
  }

  /**
   * The weights, f32, on the device. They require no gradient, except those of {@link #leaf} and
   * those that are being trained.
   */
  public NDArray value() {
    return Objects.requireNonNull(value, name());
  }

  void upload(NDManager manager) {
    value = Tensors.upload(manager, view);
  }

  /**
   * Other values in place of these.
   *
   * @param values row-major
   * @throws MismatchException when there are more or fewer
   */
  public void replace(float[] values) {
    if (values.length != info().elements()) {
      throw new MismatchException(
          "another number of values",
          name(),
          "expected " + info().elements() + " for " + info().shape() + ", found " + values.length,
          "");
    }
    Autograd.unrecorded(() -> Tensors.overwrite(value(), name(), values));
  }

  /** The weights as they are now, f32. */
  public TensorView download(Scratch scratch) {
    TensorInfo now = new TensorInfo(name(), DType.F32, info().shape());
    MemorySegment segment = scratch.allocate(now.bytes());
    Tensors.download(value(), segment);
    return new TensorView(now, segment);
  }

  @Override
  public String toString() {
    return name();
  }
}
