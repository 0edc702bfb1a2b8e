package dev.smelt.gpu.plain;

import dev.smelt.formats.DType;
import dev.smelt.formats.Json;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import tools.jackson.databind.node.NullNode;

/**
 * A model small enough for plain Java: config and tensors by name. All values are exact in f32, so
 * that a checkpoint of it holds just them.
 */
public final class TinyModel {

  /** A tensor of f64 values, row-major. */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  public record Tensor(Shape shape, double[] values) {
    Tensor copy() {
      return new Tensor(shape, values.clone());
    }

    double at(int i, int j) {
      return values[i * (int) shape.size(1) + j];
    }
  }

  /** The value {@code null} of a key in the config. */
  public static final Object NULL = NullNode.getInstance();

  private final Map<String, Object> config;
  private final Map<String, Tensor> tensors;

  TinyModel(Map<String, Object> config, Map<String, Tensor> tensors) {
    this.config = config;
    this.tensors = tensors;
  }

  public Map<String, Tensor> tensors() {
    return tensors;
  }

  public boolean has(String name) {
    return tensors.containsKey(name);
  }

  public Tensor tensor(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException(name + " is not one of " + tensors.keySet());
    }
    return tensor;
  }

  public Object config(String key, Object absent) {
    return config.getOrDefault(key, absent);
  }

  public int size(String key) {
    return (Integer) config(key, 0);
  }

  public TinyModel withConfig(String key, Object value) {
    Map<String, Object> changed = new LinkedHashMap<>(config);
    changed.put(key, value);
    return new TinyModel(changed, tensors);
  }

  public TinyModel withoutConfig(String key) {
    Map<String, Object> changed = new LinkedHashMap<>(config);
    changed.remove(key);
    return new TinyModel(changed, tensors);
  }

  /** The same under other names of tensors. */
  public TinyModel renamed(UnaryOperator<String> rename) {
    Map<String, Tensor> changed = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> changed.put(rename.apply(name), tensor));
    return new TinyModel(config, changed);
  }

  public TinyModel withTensor(String name, Tensor tensor) {
    Map<String, Tensor> changed = new LinkedHashMap<>(tensors);
    changed.put(name, tensor);
    return new TinyModel(config, changed);
  }

  public TinyModel without(String name) {
    Map<String, Tensor> changed = new LinkedHashMap<>(tensors);
    changed.remove(name);
    return new TinyModel(config, changed);
  }

  /** A copy whose values may be changed without changing this. */
  public TinyModel copy() {
    Map<String, Tensor> copies = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> copies.put(name, tensor.copy()));
    return new TinyModel(config, copies);
  }

  /**
   * Writes a folder with config.json and an F32 model.safetensors. Tensors with a {@code _scale}
   * beside them are I8.
   */
  public Path write(Path folder) {
    List<TestTensor> stored = new ArrayList<>();
    tensors.forEach(
        (name, tensor) -> {
          if (has(name + "_scale")) {
            stored.add(ints(name, tensor));
            return;
          }
          float[] values = new float[tensor.values().length];
          for (int i = 0; i < values.length; i++) {
            values[i] = (float) tensor.values()[i];
          }
          stored.add(TestTensors.f32(name, tensor.shape(), values));
        });
    return TestCheckpoints.folder(folder, Json.write(config), stored);
  }

  private static TestTensor ints(String name, Tensor tensor) {
    byte[] bytes = new byte[tensor.values().length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) tensor.values()[i];
    }
    return new TestTensor(name, DType.I8, tensor.shape(), bytes);
  }
}
