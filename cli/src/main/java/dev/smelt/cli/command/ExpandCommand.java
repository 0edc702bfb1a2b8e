package dev.smelt.cli.command;

import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.compress.delta.AdapterExpander;
import dev.smelt.compress.expand.Expander;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Multiplies factors out, and unpacks tensors, into a plain dense checkpoint. */
@Command(
    name = "expand",
    description = {
      "Turn a factorised or packed checkpoint, or an adapter and its base, into a plain dense one."
    },
    footer = {
      "%nExamples:",
      "  smelt expand small/ -o dense/",
      "  smelt expand adapter/ --base base/ -o tuned/"
    })
public final class ExpandCommand extends SmeltCommand {

  @Parameters(
      paramLabel = "CKPT",
      description = "A factorised or packed checkpoint, or an adapter folder.")
  private Path path = Path.of("");

  @Mixin private BaseMixin base = new BaseMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    OutputOptions options = output.options();
    options.requireWritable(base.with(List.of(path)));
    base.requireUse(List.of(path));
    return base.given().isPresent() && Adapter.isFolder(path)
        ? expandAdapter(options)
        : expandFactors(options);
  }

  private Result expandFactors(OutputOptions options) {
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      Expander expander = new Expander(checkpoint, output.dtype());
      CheckpointWriter.Content content = expander.content();
      try (CheckpointWriter writer = CheckpointWriter.create(options, content);
          LazyDevice device = new LazyDevice(root()::openDevice)) {
        expander.write(writer, device, root().progress());
        Manifest manifest =
            writer.commit(
                Manifests.of(
                    "expand",
                    expander.multiplies() ? parameters(device.get()) : parameters(),
                    List.of(
                        Manifests.model(checkpoint, ContentHash.of(checkpoint, root().threads()))),
                    List.of(checkpoint),
                    content,
                    expander.records(),
                    List.of()));
        return result(manifest, options);
      }
    }
  }

  private Result expandAdapter(OutputOptions options) {
    try (LazyDevice device = new LazyDevice(root()::openDevice);
        AdaptedModel model =
            base.openAdapted(
                path,
                output.dtype(),
                new AdaptedModel.Work(device, options.target(), root().progress()))) {
      CheckpointWriter.Content content = AdapterExpander.content(model, output.dtype());
      try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
        AdapterExpander.write(model, writer);
        Manifest manifest =
            writer.commit(
                Manifests.of(
                    "expand",
                    parameters(device.get()),
                    Manifests.adapted(model, root().threads()),
                    List.of(model.base()),
                    content,
                    AdapterExpander.records(model, output.dtype()),
                    model.notes()));
        return result(manifest, options);
      }
    }
  }

  /** Of a result that no device has computed. */
  private Map<String, Object> parameters() {
    Map<String, Object> parameters = new LinkedHashMap<>();
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    return parameters;
  }

  private Map<String, Object> parameters(ComputeDevice device) {
    Map<String, Object> parameters = parameters();
    parameters.put("threads", root().threads());
    parameters.put("device", device.description());
    return parameters;
  }

  private Result result(Manifest manifest, OutputOptions options) {
    return Result.of(
        manifest, () -> ManifestText.of(manifest, options.target(), root().console().width()));
  }
}
