package dev.smelt.compress.expand;

import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import java.nio.file.Path;
import java.util.Optional;

/** A checkpoint expanded to disk. */
final class Expansion {

  private Expansion() {}

  /**
   * @return the target
   */
  static Path of(Path source, Path target, Optional<DType> dtype) {
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      Expander expander = new Expander(checkpoint, dtype);
      OutputOptions output = OutputOptions.to(target);
      try (CheckpointWriter writer = CheckpointWriter.create(output, expander.content())) {
        expander.write(writer, TestDevice::get, Progress.NONE);
        writer.commitWithoutManifest();
      }
    }
    return target;
  }
}
