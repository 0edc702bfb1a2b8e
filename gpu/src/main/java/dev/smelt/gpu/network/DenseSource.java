package dev.smelt.gpu.network;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.codec.FloatCodec;
import dev.smelt.formats.model.FactoredTensor;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DenseWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;

/**
 * The tensors of a checkpoint under the names that they have in the dense model it stands for, for
 * networks that know nothing of factors.
 */
final class DenseSource {

  private final ComputeDevice device;
  private final SequencedMap<String, TensorView> stored = new LinkedHashMap<>();
  private final Map<String, FactoredTensor> factored = new HashMap<>();

  DenseSource(Checkpoint checkpoint, ComputeDevice device) {
    this.device = device;
    checkpoint.tensors().forEach(view -> stored.put(view.name(), view));
    LowRank.of(checkpoint)
        .modules()
        .forEach(
            (module, entry) -> {
              TensorView bias = stored.remove(entry.nameOfBias(module));
              String name = LowRank.denseBias(module);
              if (bias != null && stored.putIfAbsent(name, bias) != null) {
                throw twice(checkpoint, name);
              }
            });
    for (FactoredTensor tensor : FactoredTensor.of(checkpoint)) {
      String name = tensor.info().name();
      tensor.tensors().forEach(view -> stored.remove(view.name()));
      if (stored.containsKey(name)) {
        throw twice(checkpoint, name);
      }
      factored.put(name, tensor);
    }
  }

  private static CorruptException twice(Checkpoint checkpoint, String name) {
    return new CorruptException(
        "module is both dense and factorised",
        checkpoint.path() + "|" + name,
        "found it and factors for it",
        "keep one of the two");
  }

  /** Names of all tensors, those stored as they are first. */
  List<String> names() {
    return Stream.concat(stored.keySet().stream(), factored.keySet().stream().sorted()).toList();
  }

  /** Name, type and shape of a tensor of the dense model. */
  Optional<TensorInfo> find(String name) {
    return Optional.ofNullable(stored.get(name))
        .map(view -> new TensorInfo(name, view.dtype(), view.shape()))
        .or(() -> Optional.ofNullable(factored.get(name)).map(FactoredTensor::info));
  }

  boolean isFactored(String name) {
    return factored.containsKey(name);
  }

  /** The tensors of the checkpoint that hold it. */
  List<String> holders(String name) {
    FactoredTensor factors = factored.get(name);
    return factors == null
        ? List.of(find(stored, name).name())
        : factors.tensors().stream().map(TensorView::name).toList();
  }

  /**
   * A tensor under its name in the dense model.
   *
   * @param type in which a product is rounded, once, from f64; what is stored stays what it is
   */
  TensorView view(String name, DType type) {
    FactoredTensor factors = factored.get(name);
    if (factors == null) {
      return find(stored, name).renamed(name);
    }
    TensorInfo info = factors.info().as(type);
    FloatCodec codec =
        FloatCodec.of(type)
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "factors of a tensor that holds no numbers",
                        name,
                        "expected a floating-point type, found " + type.label(),
                        ""));
    MemorySegment segment = Arena.ofAuto().allocate(info.bytes(), Long.BYTES);
    DenseWeights.read(
        factors,
        device,
        (first, values) -> {
          MemorySegment part = segment.asSlice(type.bytes(first), type.bytes(values.length));
          int bad = codec.encode(values, values.length, part, 0);
          if (bad >= 0) {
            throw new LimitException(
                "value out of range",
                name,
                "found " + values[bad] + " in the product of factors, beyond " + type.label(),
                "");
          }
        });
    return new TensorView(info, segment);
  }

  private static TensorView find(Map<String, TensorView> stored, String name) {
    TensorView view = stored.get(name);
    if (view == null) {
      throw new IllegalArgumentException("no tensor " + name);
    }
    return view;
  }
}
