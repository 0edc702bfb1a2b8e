package dev.smelt.cli.command;

import dev.smelt.cli.Version;
import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.sharing.ClusteredModels;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.ZooWriter;
import dev.smelt.formats.manifest.Manifest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Writes what was clustered: one model as any checkpoint, several as folders beside one another.
 */
record ClusterOutput(boolean isZoo, OutputOptions options, Map<String, Object> parameters) {

  private static final String COMMAND = "cluster";

  Manifest write(ClusteredModels done, ClusterInputs inputs, List<Manifest.Measured> measured) {
    return isZoo ? writeZoo(done, inputs, measured) : writeModel(done, inputs, measured);
  }

  private Manifest writeModel(
      ClusteredModels done, ClusterInputs inputs, List<Manifest.Measured> measured) {
    FactoredModel model = done.models().getFirst();
    CheckpointWriter.Content content = model.content(model.dtype());
    try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
      model.write(writer);
      return writer.commit(
          Manifests.of(
                  COMMAND,
                  parameters,
                  inputs.files(),
                  inputs.checkpoints(),
                  content,
                  done.records(),
                  model.notes())
              .withClusters(done.clusters())
              .withMeasured(measured));
    }
  }

  private Manifest writeZoo(
      ClusteredModels done, ClusterInputs inputs, List<Manifest.Measured> measured) {
    List<TensorInfo> common = done.common().stream().map(TensorView::info).toList();
    SequencedMap<String, ZooWriter.Member> members = new LinkedHashMap<>();
    List<Manifest.ModelRecord> models = new ArrayList<>();
    Set<String> notes = new LinkedHashSet<>();
    for (int i = 0; i < done.models().size(); i++) {
      String name = inputs.models().get(i).name();
      CheckpointWriter.Content own = done.content(i);
      members.put(name, new ZooWriter.Member(own, done.inCommon(i)));
      models.add(
          new Manifest.ModelRecord(name, inputs.models().get(i).checkpoint().bytes(), own.bytes()));
      notes.addAll(done.models().get(i).notes());
    }
    notes.addAll(Manifests.leftOut(inputs.read()));
    ZooWriter.Content content = new ZooWriter.Content(common, members);
    try (ZooWriter writer = ZooWriter.create(options, content)) {
      for (TensorView tensor : done.common()) {
        writer.common(tensor.name()).transfer(tensor);
      }
      for (int i = 0; i < models.size(); i++) {
        for (TensorView tensor : done.own(i)) {
          writer.slot(models.get(i).name(), tensor.name()).transfer(tensor);
        }
      }
      List<Checkpoint> before = inputs.checkpoints();
      Manifest.Totals totals =
          new Manifest.Totals(
              before.stream().mapToLong(Checkpoint::bytes).sum(),
              content.bytes(),
              before.stream().mapToLong(Checkpoint::parameters).sum(),
              content.parameters());
      return writer.commit(
          Manifest.of(
                  Version.text(),
                  COMMAND,
                  parameters,
                  inputs.files(),
                  totals,
                  done.records(),
                  List.copyOf(notes))
              .withModels(models)
              .withClusters(done.clusters())
              .withMeasured(measured));
    }
  }
}
