package dev.smelt.merge.recipe;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.merge.Merger;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** Small models of Llama's form in a folder, and recipes that are carried out on them. */
final class Kitchen implements AutoCloseable {

  static final String EMBEDDING = "model.embed_tokens.weight";
  static final String NORM = "model.norm.weight";
  static final String HEAD = "lm_head.weight";
  static final MergeOptions DEFAULTS =
      new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, false);

  private final Path folder;
  private final List<Checkpoint> opened = new ArrayList<>();
  private final Map<String, Checkpoint> models = new HashMap<>();
  private int files;

  Kitchen(Path folder) {
    this.folder = folder;
  }

  static String query(int layer) {
    return "model.layers." + layer + ".self_attn.q_proj.weight";
  }

  static String up(int layer) {
    return "model.layers." + layer + ".mlp.up_proj.weight";
  }

  static String layerNorm(int layer) {
    return "model.layers." + layer + ".input_layernorm.weight";
  }

  /** Tensors of a model, random by its seed. */
  static List<TestTensor> tensors(DType dtype, long seed, int layers) {
    List<TestTensor> tensors = new ArrayList<>();
    tensors.add(TestTensors.random(EMBEDDING, dtype, seed, 5, 2));
    for (int layer = 0; layer < layers; layer++) {
      long own = seed * 1000 + layer * 10L;
      tensors.add(TestTensors.random(query(layer), dtype, own + 1, 2, 2));
      tensors.add(TestTensors.random(up(layer), dtype, own + 2, 3, 2));
      tensors.add(TestTensors.random(layerNorm(layer), dtype, own + 3, 2));
    }
    tensors.add(TestTensors.random(NORM, dtype, seed + 7, 2));
    tensors.add(TestTensors.random(HEAD, dtype, seed + 8, 5, 2));
    return tensors;
  }

  static String config(int layers) {
    return "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"],"
        + " \"num_hidden_layers\": "
        + layers
        + ", \"torch_dtype\": \"float32\"}";
  }

  Kitchen model(String name, long seed) {
    return model(name, DType.F32, seed, 4);
  }

  Kitchen model(String name, DType dtype, long seed, int layers) {
    return model(name, config(layers), tensors(dtype, seed, layers));
  }

  Kitchen model(String name, String config, List<TestTensor> tensors) {
    models.put(name, open(TestCheckpoints.folder(folder.resolve(name), config, tensors)));
    return this;
  }

  private Checkpoint open(Path path) {
    Checkpoint checkpoint = Checkpoint.open(path);
    opened.add(checkpoint);
    return checkpoint;
  }

  Checkpoint model(String name) {
    return Objects.requireNonNull(models.get(name), name);
  }

  double[] of(String model, String tensor) {
    return model(model).tensor(tensor).toDoubles();
  }

  Recipe read(String text) {
    return Recipe.read(write(text));
  }

  Path write(String text) {
    return TestCheckpoints.write(folder.resolve("recipe.yaml"), text);
  }

  StagePlan plan(String text) {
    return plan(text, DEFAULTS);
  }

  StagePlan plan(String text, MergeOptions options) {
    Stage stage = read(text).stages().getLast();
    MergeOptions own =
        new MergeOptions(
            stage.dtype().or(options::dtype),
            options.heads(),
            options.anyModel(),
            options.allowNonFinite());
    return StagePlanner.plan(
        stage, source -> new MergeInput(model(source.model().path()), "", Optional.empty()), own);
  }

  /** Carries out a recipe of one stage. */
  Checkpoint run(String text) {
    StagePlan plan = plan(text);
    Path target = folder.resolve("out" + files++);
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(plan.outputs(), Map.of(), plan.config(), List.of());
    try (CheckpointWriter writer = CheckpointWriter.create(OutputOptions.to(target), content)) {
      Merger merger =
          new Merger(
              plan.plan(),
              false,
              1,
              () -> {
                throw new IllegalStateException("no device");
              });
      merger.run(merger.prepare(), writer, Progress.NONE);
      writer.commitWithoutManifest();
    }
    return open(target);
  }

  @Override
  public void close() {
    opened.forEach(Checkpoint::close);
  }
}
