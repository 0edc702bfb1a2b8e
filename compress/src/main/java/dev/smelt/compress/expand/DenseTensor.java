package dev.smelt.compress.expand;

import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.FactoredTensor;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DenseWeights;
import java.util.OptionalInt;

/** A tensor of the dense model that a checkpoint stands for. */
public sealed interface DenseTensor {

  /** Name, type and shape of the dense tensor. */
  TensorInfo info();

  /** Bytes that the checkpoint spends on it. */
  long storedBytes();

  /** Elements that the checkpoint spends on it. */
  long storedElements();

  /** Rank of its factors, where it is stored as one pair of factors. */
  OptionalInt rank();

  /** A tensor stored as it is, perhaps under another name. */
  record Stored(String name, TensorView view) implements DenseTensor {

    @Override
    public TensorInfo info() {
      return new TensorInfo(name, view.dtype(), view.shape());
    }

    @Override
    public long storedBytes() {
      return view.info().bytes();
    }

    @Override
    public long storedElements() {
      return view.elements();
    }

    @Override
    public OptionalInt rank() {
      return OptionalInt.empty();
    }
  }

  /** A tensor stored as factors, whole or in parts. */
  record Product(FactoredTensor factors) implements DenseTensor {

    @Override
    public TensorInfo info() {
      return factors.info();
    }

    @Override
    public long storedBytes() {
      return factors.tensors().stream().mapToLong(view -> view.info().bytes()).sum();
    }

    @Override
    public long storedElements() {
      return factors.tensors().stream().mapToLong(TensorView::elements).sum();
    }

    @Override
    public OptionalInt rank() {
      return factors.rank();
    }

    /**
     * The dense tensor in f64, row-major in its own orientation.
     *
     * @throws NonFiniteException when a factor holds a NaN or an infinity
     */
    public double[] multiply(ComputeDevice device) {
      return DenseWeights.of(factors, device);
    }
  }
}
