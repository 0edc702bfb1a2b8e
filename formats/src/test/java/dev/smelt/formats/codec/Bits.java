package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.List;

/** Packs codes by one big number: element i is worth code · 2^(i·bits), little end first. */
final class Bits {

  private Bits() {}

  static byte[] pack(List<Integer> codes, int bits) {
    byte[] bytes = new byte[(codes.size() * bits + 7) / 8];
    int step = 8 / gcd(bits, 8);
    for (int from = 0; from < codes.size(); from += step) {
      BigInteger group = BigInteger.ZERO;
      int end = Math.min(from + step, codes.size());
      for (int i = end - 1; i >= from; i--) {
        group = group.shiftLeft(bits).or(BigInteger.valueOf(codes.get(i)));
      }
      for (int at = 0; at < ((end - from) * bits + 7) / 8; at++) {
        bytes[from * bits / 8 + at] = group.shiftRight(8 * at).byteValue();
      }
    }
    return bytes;
  }

  static int get(MemorySegment bytes, int index, int bits) {
    int code = 0;
    for (int bit = 0; bit < bits; bit++) {
      int at = index * bits + bit;
      int value = bytes.get(ValueLayout.JAVA_BYTE, at / 8) >> (at % 8) & 1;
      code |= value << bit;
    }
    return code;
  }

  private static int gcd(int a, int b) {
    return b == 0 ? a : gcd(b, a % b);
  }
}
