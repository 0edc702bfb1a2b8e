package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.SequencedMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Models with matrices in panels that share bases, through every command that reads checkpoints: up
 * projections in panels of columns with one A, down projections in panels of rows with one B, the
 * first panel of each dense.
 */
class PanelsJobTest {

  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");
  private static final int RANK = 5;
  private static final int WIDTH = 80;

  @TempDir private static Path folder = Path.of("");

  @BeforeAll
  static void write() {
    write("gpt2-drama", "transformer.h.%d.mlp.c_fc", "transformer.h.%d.mlp.c_proj", true);
    write("llama-drama", "model.layers.%d.mlp.up_proj", "model.layers.%d.mlp.down_proj", false);
  }

  private static void write(String model, String up, String down, boolean transposed) {
    Path target = folder.resolve(model);
    try (Checkpoint dense = Checkpoint.open(TESTDATA.resolve(model));
        Scratch scratch = Storage.local().scratch(target)) {
      StoredTensors stored = new StoredTensors(scratch, target, Optional.empty());
      SequencedMap<String, LayerState> states = new LinkedHashMap<>();
      Random random = new Random(11);
      List<Layer> layers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        layers.addAll(layer(dense, up.formatted(i), transposed).panels(Axis.INPUT, WIDTH));
        layers.addAll(layer(dense, down.formatted(i), transposed).panels(Axis.OUTPUT, WIDTH));
      }
      Layer wide = layers.getFirst();
      TensorView ofA = random(stored, new Basis(0).name(), wide.shapeOfA(RANK), random);
      Layer high = layers.getLast();
      TensorView ofB = random(stored, new Basis(4).name(), high.shapeOfB(RANK), random);
      for (Layer panel : layers) {
        states.put(panel.module(), state(panel, ofA, ofB, stored, random));
      }
      FactoredModel factored = new FactoredModel(dense, "cluster", states, stored);
      OutputOptions output = OutputOptions.to(target);
      try (CheckpointWriter writer =
          CheckpointWriter.create(output, factored.content(Optional.empty()))) {
        factored.write(writer);
        writer.commitWithoutManifest();
      }
    }
    smelt("expand", target, "-o", dense(model)).done();
  }

  private static Layer layer(Checkpoint dense, String module, boolean transposed) {
    return new Layer(
        dense.path(), module, dense.tensor(module + ".weight"), transposed, Optional.empty());
  }

  private static LayerState state(
      Layer panel, TensorView ofA, TensorView ofB, StoredTensors stored, Random random) {
    String module = panel.module();
    if (module.endsWith(".p0")) {
      return new LayerState.Dense(panel, "first");
    }
    Axis axis = panel.part().orElseThrow().slice().axis();
    return new LayerState.Factored(
        panel,
        switch (axis) {
          case INPUT ->
              new Factors(
                  ofA, random(stored, LowRank.factorB(module), panel.shapeOfB(RANK), random));
          case OUTPUT ->
              new Factors(
                  random(stored, LowRank.factorA(module), panel.shapeOfA(RANK), random), ofB);
        });
  }

  private static TensorView random(StoredTensors stored, String name, Shape shape, Random random) {
    double[] values = new double[Math.toIntExact(shape.elements())];
    Arrays.setAll(values, i -> 0.1 * random.nextGaussian());
    return stored.of(name, DType.F32, shape, values);
  }

  private static Path dense(String model) {
    return folder.resolve(model + "-dense");
  }

  private static double loss(Path path) {
    return smelt("eval", path, "--data", HELD, "--seq-len", 32, "--samples", 4, "--json")
        .json()
        .path("loss")
        .doubleValue();
  }

  @Test
  void runsAsTheDenseModelDoes() {
    for (String model : new String[] {"gpt2-drama", "llama-drama"}) {
      assertThat(loss(folder.resolve(model))).isCloseTo(loss(dense(model)), within(2e-6));
      smelt("verify", dense(model), "--against", folder.resolve(model)).done();
    }
  }

  @Test
  void diffCountsBasesOnce() {
    Path model = folder.resolve("gpt2-drama");
    JsonNode report = smelt("diff", TESTDATA.resolve("gpt2-drama"), model, "--json").json();
    long after = 0;
    for (JsonNode tensor : report.path("tensors")) {
      after += tensor.path("bytesAfter").longValue();
    }
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      assertThat(after).isEqualTo(checkpoint.bytes());
    }
    // c_fc is [192, 768] of 2 bytes; its panels of 80 and 32 columns share.
    JsonNode shared = report.path("shared").path(0);
    assertThat(shared.path("basis").asString()).isEqualTo("smelt.basis.0");
    assertThat(shared.path("side").asString()).isEqualTo("output");
    assertThat(shared.path("members").valueStream().map(JsonNode::asString))
        .containsExactly(
            "transformer.h.0.mlp.c_fc.p1",
            "transformer.h.0.mlp.c_fc.p2",
            "transformer.h.1.mlp.c_fc.p1",
            "transformer.h.1.mlp.c_fc.p2");
    assertThat(shared.path("rank").intValue()).isEqualTo(RANK);
    assertThat(shared.path("bytesBefore").longValue()).isEqualTo(2 * 112 * 768 * 2);
    assertThat(shared.path("bytesAfter").longValue()).isEqualTo(4 * RANK * (768 + 2 * 112));
    for (JsonNode tensor :
        smelt("diff", dense("gpt2-drama"), model, "--json").json().path("tensors")) {
      assertThat(tensor.path("relativeError").doubleValue()).isLessThan(1e-6);
    }
  }

  @Test
  void inspectShowsEveryPart() {
    JsonNode report = smelt("inspect", folder.resolve("llama-drama"), "--json").json();
    assertThat(report.path("factorizedModules").intValue()).isEqualTo(4);
    assertThat(
            report
                .path("tensors")
                .valueStream()
                .filter(tensor -> tensor.path("name").asString().contains("mlp.up_proj.p"))
                .filter(tensor -> tensor.path("name").asString().startsWith("model.layers.0."))
                .map(
                    tensor ->
                        tensor.path("name").asString() + " " + tensor.path("role").asString()))
        .contains(
            "model.layers.0.mlp.up_proj.p0.weight other",
            "model.layers.0.mlp.up_proj.p1.BLinear.weight factor");
  }
}
