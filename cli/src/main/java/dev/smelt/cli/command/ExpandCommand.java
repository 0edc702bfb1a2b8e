package dev.smelt.cli.command;

import dev.smelt.compress.expand.Expander;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Multiplies factors out into a plain dense checkpoint. */
@Command(
    name = "expand",
    description = "Turn a factorised checkpoint back into a plain dense one.",
    footer = {"%nExample:%n  smelt expand small/ -o dense/"})
public final class ExpandCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "A factorised checkpoint.")
  private Path path = Path.of("");

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    OutputOptions options = output.options();
    options.requireWritable(List.of(path));
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      Expander expander = new Expander(checkpoint, output.dtype());
      CheckpointWriter.Content content = expander.content();
      try (CheckpointWriter writer = CheckpointWriter.create(options, content);
          ComputeDevice device = root().openDevice()) {
        expander.write(writer, device, root().progress());
        Map<String, Object> parameters = new LinkedHashMap<>();
        output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
        parameters.put("threads", root().threads());
        parameters.put("device", device.description());
        Manifest manifest =
            writer.commit(
                Manifests.of(
                    "expand",
                    parameters,
                    List.of(
                        Manifests.model(checkpoint, ContentHash.of(checkpoint, root().threads()))),
                    List.of(checkpoint),
                    content,
                    expander.records(),
                    List.of()));
        return Result.of(
            manifest, () -> ManifestText.of(manifest, options.target(), root().console().width()));
      }
    }
  }
}
