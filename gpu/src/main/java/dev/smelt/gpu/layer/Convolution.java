package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A two-dimensional convolution, more exactly a correlation: y[o, p, q] = b[o] + Σ W[o, c, i, j]
 * x[c, p·s + i·d − pad, q·s + j·d − pad], with x zero outside.
 *
 * <p>On a recording tape it is a linear map of patches: row l of X [B, L, in·kh·kw] holds what
 * output position l looks at, and W [out, in, kh, kw] is the matrix [out, in·kh·kw] with the same
 * elements. So all that can be said of linear layers can be said of it.
 */
public sealed interface Convolution {

  /**
   * @param x [B, in, height, width]
   * @return [B, out, output height, output width]
   */
  NDArray forward(NDArray x, Tape tape);

  /**
   * @param x [B, in, height, width]
   * @return [B, L, out], output positions row by row
   */
  NDArray flat(NDArray x, Tape tape);

  /** How the kernel moves over the image; each is a pair of height and width. */
  record Kernel(Shape size, Shape stride, Shape padding, Shape dilation) {

    /** Moves by one, without padding, without gaps. */
    public static Kernel of(Shape size) {
      return new Kernel(size, new Shape(1, 1), new Shape(0, 0), new Shape(1, 1));
    }

    public Kernel withStride(Shape step) {
      return new Kernel(size, step, padding, dilation);
    }

    /** Zeros on each side. */
    public Kernel withPadding(Shape zeros) {
      return new Kernel(size, stride, zeros, dilation);
    }

    /** Distance of what neighbours in the kernel look at. */
    public Kernel withDilation(Shape distance) {
      return new Kernel(size, stride, padding, distance);
    }

    /** Output positions along an axis of that many inputs. */
    private long positions(int axis, long inputs) {
      long reach = dilation.get(axis) * (size.get(axis) - 1) + 1;
      return (inputs + 2 * padding.get(axis) - reach) / stride.get(axis) + 1;
    }

    private long[] numbers() {
      return new long[] {
        size.get(0), size.get(1), dilation.get(0), dilation.get(1),
        padding.get(0), padding.get(1), stride.get(0), stride.get(1)
      };
    }
  }

  /**
   * From one kernel.
   *
   * @param weight [out, in, kh, kw]
   */
  record Dense(Parameter weight, Optional<Parameter> bias, Kernel kernel, ScriptFunctions functions)
      implements Convolution {

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      if (!tape.isRecording()) {
        @Nullable NDArray b = bias.map(Parameter::value).orElse(null);
        return ai.djl.nn.convolutional.Conv2d.conv2d(
                x, weight.value(), b, kernel.stride(), kernel.padding(), kernel.dilation(), 1)
            .singletonOrThrow();
      }
      long out = weight.info().shape().size(0);
      Shape shape = x.getShape();
      return patchwise(x, tape)
          .transpose(0, 2, 1)
          .reshape(
              shape.get(0),
              out,
              kernel.positions(0, shape.get(2)),
              kernel.positions(1, shape.get(3)));
    }

    @Override
    public NDArray flat(NDArray x, Tape tape) {
      if (tape.isRecording()) {
        return patchwise(x, tape);
      }
      NDArray y = forward(x, tape);
      return y.reshape(y.getShape().get(0), y.getShape().get(1), -1).transpose(0, 2, 1);
    }

    /** [B, L, out]. */
    private NDArray patchwise(NDArray x, Tape tape) {
      NDArray geometry = x.getManager().create(kernel.numbers());
      NDArray patches = functions.call(x.getManager(), "patches", x, geometry);
      NDArray matrix = weight.value().reshape(weight.info().shape().size(0), -1);
      matrix.attach(x.getManager());
      NDArray product = ai.djl.nn.core.Linear.linear(patches, matrix).singletonOrThrow();
      Use.Product used = new Use.Product(weight, Layout.OUT_IN, patches);
      return bias.isPresent()
          ? tape.recordShifted(product, bias.get(), used)
          : tape.record(product, used);
    }
  }

  /**
   * W [out, in·kh·kw] = A B of rank r, never formed: a convolution with r outputs, then one of a
   * single point.
   *
   * @param b [r, in, kh, kw], without a bias
   * @param a [out, r, 1, 1]
   */
  record Factored(Dense b, Dense a) implements Convolution {

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      return a.forward(b.forward(x, tape), tape);
    }

    @Override
    public NDArray flat(NDArray x, Tape tape) {
      return a.flat(b.forward(x, tape), tape);
    }
  }

  /**
   * W = W₀ + A B, never formed.
   *
   * @param base with the bias, where there is one
   * @param change without a bias
   */
  record Changed(Dense base, Factored change) implements Convolution {

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      return base.forward(x, tape).add(change.forward(x, tape));
    }

    @Override
    public NDArray flat(NDArray x, Tape tape) {
      return base.flat(x, tape).add(change.flat(x, tape));
    }
  }
}
