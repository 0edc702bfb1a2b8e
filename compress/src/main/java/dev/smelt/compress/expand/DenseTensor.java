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

  /** Bytes that the checkpoint spends on it; those of all tensors are the checkpoint's. */
  long storedBytes();

  /** Elements that the checkpoint spends on it. */
  long storedElements();

  /** Bytes that it takes in the files, where tensors may be packed. */
  long fileBytes();

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
    public long fileBytes() {
      return view.fileBytes();
    }

    @Override
    public OptionalInt rank() {
      return OptionalInt.empty();
    }
  }

  /**
   * A tensor stored as factors, whole or in parts.
   *
   * @param storedBytes of a basis that several tensors are made of, its share
   * @param storedElements likewise
   * @param fileBytes likewise
   */
  record Product(FactoredTensor factors, long storedBytes, long storedElements, long fileBytes)
      implements DenseTensor {

    @Override
    public TensorInfo info() {
      return factors.info();
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
