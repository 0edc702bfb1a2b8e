package dev.smelt.cli.command;

import java.nio.file.Path;

/** How models are called that were given as paths. */
final class ModelNames {

  private ModelNames() {}

  /** The name of the folder; that of a file without an ending that says it holds weights. */
  static String of(Path model) {
    return String.valueOf(model.toAbsolutePath().normalize().getFileName())
        .replaceFirst("\\.(safetensors|bin|pth|pt|th|ckpt)$", "");
  }
}
