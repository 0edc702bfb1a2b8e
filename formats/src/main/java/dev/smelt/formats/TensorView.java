package dev.smelt.formats;

import dev.smelt.formats.codec.FloatCodec;
import dev.smelt.formats.codec.ScaledInts;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;

/**
 * A tensor as it lies in a mapped file: little-endian, row-major, contiguous. Nothing is read until
 * a value is asked for; packed tensors are unpacked then. A view lives as long as the checkpoint it
 * came from.
 *
 * <p>Integers may have a scale for each row in a tensor of their own. The values of such a view are
 * real numbers; type and bytes are those of the integers.
 *
 * @see ScaledInts
 */
public final class TensorView {

  private static final long SCALED_CHUNK = 8192;

  private final TensorInfo info;
  private final Supplier<MemorySegment> bytes;
  private final OptionalLong packedBytes;
  private final Optional<TensorView> scales;

  public TensorView(TensorInfo info, MemorySegment segment) {
    this(info, held(info, segment), OptionalLong.empty(), Optional.empty());
  }

  private TensorView(
      TensorInfo info,
      Supplier<MemorySegment> bytes,
      OptionalLong packedBytes,
      Optional<TensorView> scales) {
    this.info = info;
    this.bytes = bytes;
    this.packedBytes = packedBytes;
    this.scales = scales;
  }

  private static Supplier<MemorySegment> held(TensorInfo info, MemorySegment segment) {
    if (segment.byteSize() != info.bytes()) {
      throw new IllegalArgumentException(
          info.name() + " needs " + info.bytes() + " bytes, not " + segment.byteSize());
    }
    MemorySegment readOnly = segment.asReadOnly();
    return () -> readOnly;
  }

  /**
   * A tensor that lies packed in its file.
   *
   * @param packedBytes that it takes there
   * @param bytes gives, read-only, the bytes that a plain one would have: at every call the same
   */
  public static TensorView packed(
      TensorInfo info, long packedBytes, Supplier<MemorySegment> bytes) {
    return new TensorView(info, bytes, OptionalLong.of(packedBytes), Optional.empty());
  }

  /**
   * A tensor whose bytes are put together when they are first asked for.
   *
   * @param bytes gives them, read-only: at every call the same
   */
  public static TensorView made(TensorInfo info, Supplier<MemorySegment> bytes) {
    return new TensorView(info, bytes, OptionalLong.empty(), Optional.empty());
  }

  /**
   * Integers that stand for real numbers: X[i,…] = ints[i,…]·scales[i].
   *
   * @param ints I8 of n rows, at least one axis and one element
   * @param scales F32 [n, 1]
   * @throws IllegalArgumentException when they are of other types or shapes
   */
  public static TensorView scaled(TensorView ints, TensorView scales) {
    boolean fits =
        ints.dtype() == DType.I8
            && scales.dtype() == DType.F32
            && ints.shape().rank() > 0
            && ints.elements() > 0
            && scales.shape().equals(Shape.of(ints.shape().size(0), 1));
    if (!fits) {
      throw new IllegalArgumentException("no scales of " + ints.info() + ": " + scales.info());
    }
    return new TensorView(ints.info, ints.bytes, ints.packedBytes, Optional.of(scales));
  }

  /**
   * The same values in another shape.
   *
   * @throws IllegalArgumentException when it has another number of elements, or of rows where they
   *     have scales
   */
  public TensorView reshaped(Shape shape) {
    if (scales.isPresent() && shape.size(0) != shape().size(0)) {
      throw new IllegalArgumentException(name() + " has scales of " + shape() + ", not " + shape);
    }
    return new TensorView(new TensorInfo(name(), dtype(), shape), bytes, packedBytes, scales);
  }

  /** The same tensor under another name. */
  public TensorView renamed(String name) {
    return new TensorView(new TensorInfo(name, dtype(), shape()), bytes, packedBytes, scales);
  }

  public TensorInfo info() {
    return info;
  }

  public String name() {
    return info.name();
  }

  public DType dtype() {
    return info.dtype();
  }

  public Shape shape() {
    return info.shape();
  }

  public long elements() {
    return info.elements();
  }

  /** The raw bytes, read-only. */
  public MemorySegment segment() {
    return bytes.get();
  }

  /** Bytes that it takes in its file: those of its type and shape, unless it is packed. */
  public long fileBytes() {
    return packedBytes.orElse(info.bytes());
  }

  /** Whether it lies in its file as bits and values. */
  public boolean isPacked() {
    return packedBytes.isPresent();
  }

  /** Whether its values are real numbers: floats, or integers with scales. */
  public boolean holdsReals() {
    return dtype().isFloat() || scales.isPresent();
  }

  /** The scales of its rows, F32 [rows, 1]. */
  public Optional<TensorView> scales() {
    return scales;
  }

  /** The tensors of a file that hold it: itself and, where it has them, its scales. */
  public List<TensorView> stored() {
    return scales.map(of -> List.of(this, of)).orElse(List.of(this));
  }

  /** Bytes of {@link #stored()}. */
  public long storedBytes() {
    return info.bytes() + scales.map(of -> of.info.bytes()).orElse(0L);
  }

  /** Whether type, shape and all bits are the same, those of scales as well. */
  public boolean sameBits(TensorView other) {
    boolean same =
        dtype() == other.dtype()
            && shape().equals(other.shape())
            && segment().mismatch(other.segment()) < 0;
    if (!same || scales.isEmpty() || other.scales.isEmpty()) {
      return same && scales.isEmpty() == other.scales.isEmpty();
    }
    return scales.get().sameBits(other.scales.get());
  }

  /**
   * Decodes elements {@code first … first+count-1} into {@code target[0 … count-1]}. Exact for
   * every float type and for scaled integers.
   *
   * @throws UnsupportedException when the tensor does not hold real numbers
   */
  public void read(long first, int count, double[] target) {
    if (scales.isPresent()) {
      ScaledInts.decode(segment(), scales.get().segment(), rowLength(), first, count, target);
      return;
    }
    codec().decode(segment(), first, count, target);
  }

  /** As {@link #read(long, int, double[])}, rounded to f32 where a value is none. */
  public void read(long first, int count, float[] target) {
    if (scales.isPresent()) {
      ScaledInts.decode(segment(), scales.get().segment(), rowLength(), first, count, target);
      return;
    }
    codec().decode(segment(), first, count, target);
  }

  /**
   * The whole tensor as f32, row-major.
   *
   * @throws LimitException when it has more elements than a Java array can hold
   */
  public float[] toFloats() {
    float[] values = new float[arrayLength()];
    read(0, values.length, values);
    return values;
  }

  /** The whole tensor as f64, row-major. */
  public double[] toDoubles() {
    double[] values = new double[arrayLength()];
    read(0, values.length, values);
    return values;
  }

  /**
   * Row-major index of the first NaN or infinity, if the tensor holds real numbers and has one. One
   * beyond f32 counts as infinite.
   */
  public Optional<Long> firstNonFinite() {
    if (scales.isPresent()) {
      return firstNonFiniteOfScaled();
    }
    return dtype().isFloat() ? codec().firstNonFinite(segment(), elements()) : Optional.empty();
  }

  private Optional<Long> firstNonFiniteOfScaled() {
    float[] chunk = new float[(int) Math.min(elements(), SCALED_CHUNK)];
    for (long at = 0; at < elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, elements() - at);
      read(at, count, chunk);
      for (int i = 0; i < count; i++) {
        if (!Float.isFinite(chunk[i])) {
          return Optional.of(at + i);
        }
      }
    }
    return Optional.empty();
  }

  private long rowLength() {
    return elements() / shape().size(0);
  }

  private FloatCodec codec() {
    return FloatCodec.of(info.dtype())
        .orElseThrow(
            () ->
                new UnsupportedException(
                    "not a floating-point tensor",
                    info.name(),
                    "has dtype " + info.dtype().label(),
                    "leave it out or keep it as it is"));
  }

  private int arrayLength() {
    if (elements() > Integer.MAX_VALUE - 8) {
      throw new LimitException(
          "tensor too large for one array",
          info.name(),
          "has " + elements() + " elements, at most " + (Integer.MAX_VALUE - 8),
          "process it in parts");
    }
    return (int) elements();
  }
}
