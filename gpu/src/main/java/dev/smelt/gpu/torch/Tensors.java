package dev.smelt.gpu.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.JniUtils;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The one door between files and the device. Everything passes it as f32 or f64: an array of type
 * BFLOAT16 or INT16 aborts the whole process inside DJL, so none is ever made.
 */
public final class Tensors {

  /** Elements copied at a time, 64 MiB of f32: bounds the heap and stays below 2 GiB a buffer. */
  private static final int CHUNK = 16 << 20;

  private static final ValueLayout.OfFloat LITTLE_ENDIAN_F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Tensors() {}

  /**
   * Decodes a stored tensor to f32 on the device.
   *
   * @throws NonFiniteException at the first NaN or infinity
   */
  public static NDArray upload(NDManager manager, TensorView view) {
    Shape shape = new Shape(view.shape().sizes().toArray());
    NDArray target = manager.create(shape, DataType.FLOAT32);
    NDArray flat = target.reshape(view.elements());
    for (long at = 0; at < view.elements(); at += CHUNK) {
      float[] values = new float[(int) Math.min(CHUNK, view.elements() - at)];
      view.read(at, values.length, values);
      requireFinite(view.name(), at, values);
      try (NDArray chunk = copy(manager, values, new Shape(values.length))) {
        flat.set(new NDIndex().addSliceDim(at, at + values.length), chunk);
      }
    }
    flat.close();
    return target;
  }

  /**
   * Puts values into an f32 array of as many elements, row-major.
   *
   * @param name for a refusal
   * @throws NonFiniteException at the first NaN or infinity
   */
  public static void overwrite(NDArray target, String name, float[] values) {
    requireFinite(name, 0, values);
    try (NDArray flat = target.reshape(values.length);
        NDArray copy = copy(target.getManager(), values, new Shape(values.length))) {
      flat.set(new NDIndex().addSliceDim(0, values.length), copy);
    }
  }

  /** Copies an f32 array row-major to native memory of its size. */
  public static void download(NDArray source, MemorySegment target) {
    long elements = source.size();
    try (NDManager temporary = source.getManager().newSubManager()) {
      NDArray flat = source.reshape(elements);
      flat.attach(temporary);
      for (long at = 0; at < elements; at += CHUNK) {
        try (NDArray chunk =
            flat.get(new NDIndex().addSliceDim(at, Math.min(elements, at + CHUNK)))) {
          float[] values = chunk.toFloatArray();
          MemorySegment.copy(values, 0, target, LITTLE_ENDIAN_F32, at * Float.BYTES, values.length);
        }
      }
    }
  }

  private static void requireFinite(String name, long first, float[] values) {
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new NonFiniteException(
            "weight is not finite",
            name,
            "element " + (first + i) + " is " + values[i],
            "a network with such a weight has no loss; repair or re-export the checkpoint");
      }
    }
  }

  public static NDArray ofInts(NDManager manager, int[] values, long... shape) {
    long[] wide = new long[values.length];
    for (int i = 0; i < values.length; i++) {
      wide[i] = values[i];
    }
    return manager.create(wide, new Shape(shape));
  }

  public static NDArray ofFloats(NDManager manager, float[] values, long... shape) {
    return manager.create(values, new Shape(shape));
  }

  /**
   * An array of f32 or f64 over native memory, which it neither copies nor frees. CPU only.
   *
   * @param segment off the heap, of the size of the array; must outlive it
   */
  public static NDArray over(NDManager manager, MemorySegment segment, Shape shape, DataType type) {
    // Only the address is passed on, so that a buffer's limit of 2 GiB does not matter.
    long start = Math.min(segment.byteSize(), Integer.MAX_VALUE);
    ByteBuffer address = segment.asSlice(0, start).asByteBuffer().order(ByteOrder.nativeOrder());
    return JniUtils.createNdFromByteBuffer(
        (PtNDManager) manager, address, shape, type, SparseFormat.DENSE, manager.getDevice());
  }

  /**
   * Values on the device, row-major, in memory that is free again when the array is closed: that of
   * arrays which DJL makes from Java's is freed by the garbage collector, which a small heap calls
   * too seldom for what lies outside of it.
   */
  public static NDArray copy(NDManager manager, double[] values, Shape shape) {
    if (manager.getDevice().isGpu()) {
      return manager.create(values, shape);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_DOUBLE, values);
      try (NDArray view = over(manager, memory, shape, DataType.FLOAT64)) {
        return view.duplicate();
      }
    }
  }

  /** As {@link #copy(NDManager, double[], Shape)}, of f32. */
  public static NDArray copy(NDManager manager, float[] values, Shape shape) {
    if (manager.getDevice().isGpu()) {
      return manager.create(values, shape);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
      try (NDArray view = over(manager, memory, shape, DataType.FLOAT32)) {
        return view.duplicate();
      }
    }
  }

  /**
   * A number as an array that lives as long as its manager. In anything that will be differentiated
   * use this, not an operator with a Java number: DJL frees the memory behind such a number at once
   * although the backward pass will read it again.
   */
  public static NDArray scalar(NDManager manager, double value) {
    return manager.create((float) value);
  }
}
