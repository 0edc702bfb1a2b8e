package dev.smelt.cli.command;

import dev.smelt.cli.Smelt;
import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.merge.Merger;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergePlan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Carries out a plan and writes its result with a manifest. */
final class MergeWriter {

  private final Smelt root;
  private final LazyDevice device;
  private final boolean allowNonFinite;

  MergeWriter(Smelt root, LazyDevice device, boolean allowNonFinite) {
    this.root = root;
    this.device = device;
    this.allowNonFinite = allowNonFinite;
  }

  /**
   * What is written beside the tensors.
   *
   * @param first of the models, as it is merged: side files are its
   * @param config of the output
   * @param models as they are stored
   * @param inputs everything that is read
   * @param parameters for the manifest, from what the methods say of themselves
   */
  record Around(
      Checkpoint first,
      Optional<ModelConfig> config,
      List<MergeInput> models,
      List<Manifest.Input> inputs,
      Function<Collection<MergeMethod.Prepared>, Map<String, Object>> parameters) {}

  Manifest write(MergePlan plan, Around around, OutputOptions options) {
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(
            Merger.outputs(plan),
            Map.of(),
            around.config(),
            around.first().sideFiles(),
            TokenizerMixin.texts(around.first()));
    try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
      Merger merger =
          new Merger(plan, allowNonFinite, root.threads(), () -> device.get().linearAlgebra());
      Map<MergeMethod, MergeMethod.Prepared> prepared = merger.prepare();
      merger.run(prepared, writer, root.progress());
      return writer.commit(
          Manifests.of(
              "merge",
              around.parameters().apply(prepared.values()),
              around.inputs(),
              around.models().stream().map(MergeInput::checkpoint).toList(),
              content,
              records(plan, around.first()),
              notes(plan, around)));
    }
  }

  private static List<String> notes(MergePlan plan, Around around) {
    List<String> notes = new ArrayList<>(plan.notes());
    notes.addAll(TokenizerMixin.notes(around.first()));
    around.models().forEach(model -> notes.addAll(BaseMixin.notes(model.checkpoint())));
    return notes;
  }

  /**
   * @param base which of the models others are changes of
   * @param statistics that were read
   */
  List<Manifest.Input> inputs(
      List<MergeInput> models, Optional<MergeInput> base, List<Path> statistics) {
    List<Manifest.Input> inputs = new ArrayList<>();
    for (MergeInput model : models) {
      inputs.add(
          base.equals(Optional.of(model))
              ? Manifests.base(model.checkpoint(), model.sha256())
              : Manifests.model(model.checkpoint(), model.sha256()));
      if (model.checkpoint() instanceof AdaptedModel adapted) {
        inputs.addAll(Manifests.adapted(adapted, root.threads()));
      }
    }
    for (Path file : statistics) {
      inputs.add(Manifests.file("statistics", file));
    }
    return inputs;
  }

  private static List<TensorRecord> records(MergePlan plan, Checkpoint first) {
    List<TensorRecord> records = new ArrayList<>();
    for (MergePlan.Planned planned : plan.tensors()) {
      records.add(
          switch (planned) {
            case MergePlan.Merged tensor ->
                TensorRecord.of(
                    tensor.output().name(),
                    TensorRecord.MERGED,
                    TokenizerMixin.bytesBefore(first, tensor.operands().theta().getFirst().view()),
                    tensor.output().bytes());
            case MergePlan.Copied tensor ->
                TensorRecord.kept(
                    tensor.output().name(),
                    tensor.reason(),
                    TokenizerMixin.bytesBefore(first, tensor.source().view()),
                    tensor.output().bytes());
          });
    }
    for (MergePlan.Dropped tensor : plan.dropped()) {
      records.add(
          TensorRecord.dropped(
              tensor.tensor().name(),
              "of model " + tensor.model() + ": " + tensor.reason(),
              tensor.tensor().bytes()));
    }
    return records;
  }
}
