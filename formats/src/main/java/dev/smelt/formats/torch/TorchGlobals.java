package dev.smelt.formats.torch;

import dev.smelt.formats.DType;
import dev.smelt.formats.pickle.Globals;
import dev.smelt.formats.pickle.PickleValue.Global;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The names that checkpoints of PyTorch may use, and the element types among them.
 *
 * <p>It is narrower than what {@code torch.load(weights_only=True)} lets pass: nothing here has an
 * effect when it is called.
 */
final class TorchGlobals {

  static final String REBUILD_MODULE = "torch._utils";
  static final String REBUILD_TENSOR = "_rebuild_tensor";
  static final String REBUILD_TENSOR_V2 = "_rebuild_tensor_v2";
  static final String REBUILD_TENSOR_V3 = "_rebuild_tensor_v3";
  static final String REBUILD_PARAMETER = "_rebuild_parameter";

  /** Of TorchScript's own classes. */
  private static final String SCRIPT_MODULE = "__torch__";

  private static final Set<String> REBUILD =
      Set.of(REBUILD_TENSOR, REBUILD_TENSOR_V2, REBUILD_TENSOR_V3, REBUILD_PARAMETER);

  /** TorchScript writes typed lists as calls of these. */
  private static final Set<String> SCRIPT_VALUES =
      Set.of(
          "build_intlist",
          "build_doublelist",
          "build_boollist",
          "build_tensorlist",
          "restore_type_tag");

  /** Values that trainers keep beside the weights. */
  private static final Map<String, Set<String>> HARMLESS =
      Map.of(
          "torch", Set.of("Size", "device"),
          "collections", Set.of("Counter"),
          "builtins", Set.of("set", "complex"),
          "__builtin__", Set.of("set", "complex"),
          "_codecs", Set.of("encode"));

  private static final Map<String, DType> STORAGES =
      Map.ofEntries(
          Map.entry("BoolStorage", DType.BOOL),
          Map.entry("ByteStorage", DType.U8),
          Map.entry("CharStorage", DType.I8),
          Map.entry("ShortStorage", DType.I16),
          Map.entry("IntStorage", DType.I32),
          Map.entry("LongStorage", DType.I64),
          Map.entry("HalfStorage", DType.F16),
          Map.entry("BFloat16Storage", DType.BF16),
          Map.entry("FloatStorage", DType.F32),
          Map.entry("DoubleStorage", DType.F64),
          Map.entry("ComplexFloatStorage", DType.C64),
          // Its elements are bytes, whatever tensors make of them.
          Map.entry("UntypedStorage", DType.U8));

  private static final Map<String, DType> DTYPES = new HashMap<>();

  static {
    for (DType type : DType.values()) {
      // Types of less than a byte are packed in PyTorch and have another element size there.
      if (type.bits() >= Byte.SIZE) {
        DTYPES.put(type.torchName(), type);
      }
    }
  }

  private TorchGlobals() {}

  /** For a file that {@code torch.save} wrote. */
  static Optional<Globals.Use> ofStateDict(String module, String name) {
    if (HARMLESS.getOrDefault(module, Set.of()).contains(name)) {
      return Optional.of(Globals.Use.CALL);
    }
    return Optional.ofNullable(
        switch (module) {
          case "collections" -> name.equals("OrderedDict") ? Globals.Use.DICT : null;
          case REBUILD_MODULE -> REBUILD.contains(name) ? Globals.Use.CALL : null;
          case "torch", "torch.storage" -> isTypeName(name) ? Globals.Use.NAME : null;
          default -> null;
        });
  }

  /** For a file that {@code torch.jit.save} wrote. */
  static Optional<Globals.Use> ofScript(String module, String name) {
    if (module.equals(SCRIPT_MODULE) || module.startsWith(SCRIPT_MODULE + ".")) {
      return Optional.of(Globals.Use.CLASS);
    }
    if (module.equals("torch.jit._pickle") && SCRIPT_VALUES.contains(name)) {
      return Optional.of(Globals.Use.CALL);
    }
    return ofStateDict(module, name);
  }

  /** Names of storages and dtypes, also those that no tensor may have here: they do nothing. */
  private static boolean isTypeName(String name) {
    return name.endsWith("Storage") || name.matches("[a-z]+[0-9]+(_[a-z0-9]+)?|bool|[a-z]+_format");
  }

  /** The element type of {@code torch.<X>Storage}. */
  static Optional<DType> storageType(Global global) {
    return Optional.ofNullable(STORAGES.get(global.name()));
  }

  /** The element type named by {@code torch.<dtype>}. */
  static Optional<DType> dtype(Global global) {
    return Optional.ofNullable(DTYPES.get(global.name()));
  }

  static boolean isTensor(Global function) {
    return function.module().equals(REBUILD_MODULE) && REBUILD.contains(function.name());
  }
}
