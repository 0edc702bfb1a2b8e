package dev.smelt.formats.codec;

import dev.smelt.formats.DType;
import java.util.EnumMap;
import java.util.Map;

/** The one place where a type meets its codec. */
final class Codecs {

  static final Map<DType, FloatCodec> TABLE = new EnumMap<>(DType.class);

  static {
    TABLE.put(DType.F64, new F64Codec());
    TABLE.put(DType.F32, new F32Codec());
    TABLE.put(DType.F16, new F16Codec());
    TABLE.put(DType.BF16, new Bf16Codec());
    TABLE.put(DType.F8_E4M3, new MiniFloatCodec(MiniFloat.E4M3));
    TABLE.put(DType.F8_E5M2, new MiniFloatCodec(MiniFloat.E5M2));
    TABLE.put(DType.F8_E8M0, new MiniFloatCodec(MiniFloat.E8M0));
    TABLE.put(DType.F6_E2M3, new MiniFloatCodec(MiniFloat.E2M3));
    TABLE.put(DType.F6_E3M2, new MiniFloatCodec(MiniFloat.E3M2));
    TABLE.put(DType.F4, new MiniFloatCodec(MiniFloat.E2M1));
  }

  private Codecs() {}
}
