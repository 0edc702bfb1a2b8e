package dev.smelt.compress.layer;

import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.ScaledInts;
import dev.smelt.formats.codec.TensorEncoder;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Tensors rounded to the type in which they will be stored, on disk until they are written. Several
 * threads may store.
 */
public final class StoredTensors {

  private static final int CHUNK = 1 << 20;

  private final Scratch scratch;
  private final Path place;
  private final Optional<DType> dtype;
  private final Optional<FactorType> factors;
  private final Map<String, TensorView> kept = new ConcurrentHashMap<>();

  /**
   * @param place the output, beside which they lie
   * @param dtype of all floats that are written; absent: each tensor as it was
   */
  public StoredTensors(Scratch scratch, Path place, Optional<DType> dtype) {
    this(scratch, place, dtype, Optional.empty());
  }

  /**
   * @param place the output, beside which they lie
   * @param dtype of all floats that are written; absent: each tensor as it was
   * @param factors how factors are stored; absent: as the tensor that they stand for would be
   */
  public StoredTensors(
      Scratch scratch, Path place, Optional<DType> dtype, Optional<FactorType> factors) {
    this.scratch = scratch;
    this.place = place;
    this.dtype = dtype;
    this.factors = factors;
  }

  /** The output, beside which they lie. */
  public Path place() {
    return place;
  }

  /** Of all floats that are written; absent: each tensor as it was. */
  public Optional<DType> dtype() {
    return dtype;
  }

  /** The type in which a tensor of the model will be stored. */
  public DType typeOf(TensorView tensor) {
    return tensor.info().withFloatsAs(dtype).dtype();
  }

  /** How factors of a tensor of the model will be stored. */
  public FactorType typeOfFactors(TensorView tensor) {
    return factors.orElseGet(() -> new FactorType(typeOf(tensor)));
  }

  /** A tensor that stays, under another name and in its new type. */
  public TensorView kept(TensorView tensor, String name) {
    DType type = typeOf(tensor);
    TensorInfo info = new TensorInfo(name, type, tensor.shape());
    if (type == tensor.dtype()) {
      return tensor.renamed(name);
    }
    TensorView rounded = kept.computeIfAbsent(tensor.name(), key -> round(tensor, info));
    return new TensorView(info, rounded.segment());
  }

  private TensorView round(TensorView tensor, TensorInfo info) {
    MemorySegment bytes = scratch.allocate(info.bytes());
    TensorEncoder encoder = new TensorEncoder(info);
    double[] chunk = new double[(int) Math.min(CHUNK, tensor.elements())];
    for (long at = 0; at < tensor.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, tensor.elements() - at);
      tensor.read(at, count, chunk);
      encoder.encode(chunk, count, at, bytes, at);
    }
    return new TensorView(info, bytes);
  }

  /**
   * Values of a new tensor.
   *
   * @param values row-major
   * @throws LimitException when one is beyond the type's range
   */
  public TensorView of(String name, DType type, Shape shape, double[] values) {
    TensorInfo info = new TensorInfo(name, type, shape);
    MemorySegment bytes = scratch.allocate(info.bytes());
    new TensorEncoder(info).encode(values, bytes);
    return new TensorView(info, bytes);
  }

  /**
   * A factor, as factors are stored: rounded to floats, or to integers with a scale for each row.
   *
   * @param tensor of the model that it is a factor of
   * @param values row-major
   * @throws LimitException when one is beyond the type's range
   */
  public TensorView factor(String name, TensorView tensor, Shape shape, double[] values) {
    FactorType type = typeOfFactors(tensor);
    return type.isScaled() ? scaled(name, shape, values) : of(name, type.dtype(), shape, values);
  }

  private TensorView scaled(String name, Shape shape, double[] values) {
    TensorInfo ints = new TensorInfo(name, DType.I8, shape);
    Shape column = Shape.of(shape.size(0), 1);
    TensorInfo scales = new TensorInfo(LowRank.scaleOf(name), DType.F32, column);
    MemorySegment ofInts = scratch.allocate(ints.bytes());
    MemorySegment ofScales = scratch.allocate(scales.bytes());
    ScaledInts.encode(name, values, Math.toIntExact(shape.size(0)), ofInts, ofScales);
    return TensorView.scaled(new TensorView(ints, ofInts), new TensorView(scales, ofScales));
  }
}
