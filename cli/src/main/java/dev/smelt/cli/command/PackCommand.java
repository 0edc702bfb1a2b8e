package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.packed.PackedOutput;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Writes a checkpoint again with its zeros left out. */
@Command(
    name = "pack",
    description = {
      "Store tensors with many zeros as a bit for each element and the other values. Only smelt"
          + " reads the result; smelt expand makes a plain checkpoint of it."
    },
    footer = {"%nExample:", "  smelt pack pruned/ -o packed/"})
public final class PackCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "A checkpoint with zeros in it.")
  private Path path = Path.of("");

  @Mixin private TargetMixin target = new TargetMixin();

  @Override
  protected Result execute() {
    OutputOptions options = target.options();
    options.requirePackable();
    options.requireWritable(List.of(path));
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      PackedOutput packed = PackedOutput.of(checkpoint.tensors(), root().threads());
      if (packed.packedTensors() == 0) {
        throw new MismatchException(
            "nothing to pack",
            path.toString(),
            "no tensor would take less room",
            "use it as it is");
      }
      CheckpointWriter.Content plain = content(checkpoint);
      Manifest manifest =
          Manifests.of(
              "pack",
              Map.of(),
              List.of(Manifests.model(checkpoint, ContentHash.of(checkpoint, root().threads()))),
              List.of(checkpoint),
              plain,
              checkpoint.tensors().stream().map(tensor -> record(tensor, packed)).toList(),
              List.of());
      try (CheckpointWriter writer = CheckpointWriter.create(options, packed.content(plain))) {
        packed.write(writer::slot, root().threads(), root().progress());
        Manifest written = writer.commit(manifest.withPackedBytes(packed.bytes()));
        return Result.of(
            written, () -> ManifestText.of(written, options.target(), root().console().width()));
      }
    }
  }

  private static CheckpointWriter.Content content(Checkpoint checkpoint) {
    // What lies beside a model of PyTorch is no part of the output.
    boolean all = checkpoint.leftOut().isEmpty();
    return new CheckpointWriter.Content(
        checkpoint.infos(),
        all ? checkpoint.metadata() : Map.of(),
        checkpoint.config(),
        checkpoint.sideFiles());
  }

  private static TensorRecord record(TensorView tensor, PackedOutput packed) {
    TensorInfo info = tensor.info();
    String action = packed.isPacked(info.name()) ? TensorRecord.PACKED : TensorRecord.KEPT;
    return TensorRecord.of(info.name(), action, info.bytes(), info.bytes());
  }
}
