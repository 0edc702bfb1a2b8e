package dev.smelt.gpu.network;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;

/** Readings of config.json that architectures share. */
final class Configs {

  private Configs() {}

  /** Number of heads, which must divide the width. */
  static int heads(ModelConfig config, String widthKey, String headsKey) {
    int width = config.size(widthKey);
    int heads = config.size(headsKey);
    if (width % heads != 0) {
      throw new CorruptException(
          "width not divisible by heads",
          config.where(),
          widthKey + " = " + width + ", " + headsKey + " = " + heads,
          "");
    }
    return heads;
  }

  /** Refuses a flag that would change the network in a way that is not built here. */
  static void refuse(ModelConfig config, String flag, String what) {
    if (config.flag(flag, false)) {
      throw new UnsupportedException(
          what + " not supported", config.where(), flag + " is true, expected false", "");
    }
  }
}
