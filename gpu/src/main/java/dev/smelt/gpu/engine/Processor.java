package dev.smelt.gpu.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this machine's processor is good at. */
final class Processor {

  /** Of Linux; other systems do not have it, and are taken to have no such instructions. */
  private static final Path DESCRIPTION = Path.of("/proc/cpuinfo");

  private static final boolean MULTIPLIES_BF16 = describes("amx_bf16");

  private Processor() {}

  /**
   * True when it has instructions for products of bf16 matrices, which are several times faster
   * than those of f32. Read from its description, not measured, so that results depend on the
   * machine but not on its load.
   */
  static boolean multipliesBf16() {
    return MULTIPLIES_BF16;
  }

  private static boolean describes(String feature) {
    try {
      return Files.exists(DESCRIPTION)
          && Files.readString(DESCRIPTION).contains(" " + feature + " ");
    } catch (IOException e) {
      return false;
    }
  }
}
