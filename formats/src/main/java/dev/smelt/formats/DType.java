package dev.smelt.formats;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The element types of a safetensors file, with their names there, their width in bits and their
 * name in the {@code torch_dtype} of a config.
 *
 * <p>The order is the order of storage: the reference writer sorts tensors by alignment, widest
 * first, and this enum runs from narrow to wide as the reference's does.
 */
public enum DType {
  BOOL("BOOL", 8, Kind.BOOLEAN, "bool"),
  F4("F4", 4, Kind.FLOAT, "float4_e2m1fn_x2"),
  F6_E2M3("F6_E2M3", 6, Kind.FLOAT, "float6_e2m3fn"),
  F6_E3M2("F6_E3M2", 6, Kind.FLOAT, "float6_e3m2fn"),
  U8("U8", 8, Kind.INTEGER, "uint8"),
  I8("I8", 8, Kind.INTEGER, "int8"),
  F8_E5M2("F8_E5M2", 8, Kind.FLOAT, "float8_e5m2"),
  F8_E4M3("F8_E4M3", 8, Kind.FLOAT, "float8_e4m3fn"),
  F8_E8M0("F8_E8M0", 8, Kind.FLOAT, "float8_e8m0fnu"),
  I16("I16", 16, Kind.INTEGER, "int16"),
  U16("U16", 16, Kind.INTEGER, "uint16"),
  F16("F16", 16, Kind.FLOAT, "float16"),
  BF16("BF16", 16, Kind.FLOAT, "bfloat16"),
  I32("I32", 32, Kind.INTEGER, "int32"),
  U32("U32", 32, Kind.INTEGER, "uint32"),
  F32("F32", 32, Kind.FLOAT, "float32"),
  C64("C64", 64, Kind.COMPLEX, "complex64"),
  F64("F64", 64, Kind.FLOAT, "float64"),
  I64("I64", 64, Kind.INTEGER, "int64"),
  U64("U64", 64, Kind.INTEGER, "uint64");

  private enum Kind {
    BOOLEAN,
    INTEGER,
    FLOAT,
    COMPLEX
  }

  private static final Map<String, DType> BY_LABEL = new HashMap<>();

  static {
    for (DType type : values()) {
      BY_LABEL.put(type.label, type);
    }
  }

  private final String label;
  private final int bits;
  private final Kind kind;
  private final String torchName;

  DType(String label, int bits, Kind kind, String torchName) {
    this.label = label;
    this.bits = bits;
    this.kind = kind;
    this.torchName = torchName;
  }

  /** The type named {@code label} in a safetensors header, if there is one. */
  public static Optional<DType> ofLabel(String label) {
    return Optional.ofNullable(BY_LABEL.get(label));
  }

  /** The floating-point type that a person may call so: "bf16", "F32", "float16". */
  public static Optional<DType> ofFloatName(String text) {
    return Arrays.stream(values())
        .filter(DType::isFloat)
        .filter(type -> type.label.equalsIgnoreCase(text) || type.torchName.equalsIgnoreCase(text))
        .findFirst();
  }

  /** The type of that name in a config, if there is one. */
  static Optional<DType> ofTorchName(String name) {
    return Arrays.stream(values()).filter(type -> type.torchName.equals(name)).findFirst();
  }

  /** The name in a safetensors header. */
  public String label() {
    return label;
  }

  /** The name in the {@code torch_dtype} of a config.json. */
  public String torchName() {
    return torchName;
  }

  public int bits() {
    return bits;
  }

  /** True of real floating-point types; complex, integer and boolean types are not. */
  public boolean isFloat() {
    return kind == Kind.FLOAT;
  }

  /**
   * Bytes that {@code elements} values take.
   *
   * @throws ArithmeticException when the bits overflow a long or do not fill whole bytes
   */
  public long bytes(long elements) {
    long totalBits = Math.multiplyExact(elements, (long) bits);
    if (totalBits % Byte.SIZE != 0) {
      throw new ArithmeticException(elements + " elements of " + bits + " bits do not fill bytes");
    }
    return totalBits / Byte.SIZE;
  }
}
