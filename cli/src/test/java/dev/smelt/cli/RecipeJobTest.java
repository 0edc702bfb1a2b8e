package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Merging as a recipe says, from the command line. */
class RecipeJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");

  private static final String LINEAR =
      """
      merge_method: linear
      models:
        - model: %s
          parameters: {weight: 0.7}
        - model: %s
          parameters: {weight: 0.3}
      """
          .formatted(DRAMA, SCRIPTURE);

  @TempDir private Path folder;

  private Path recipe(String text) {
    return TestCheckpoints.write(folder.resolve("recipe.yaml"), text);
  }

  @Test
  void aRecipeIsWhatTheOptionsAre() {
    Path out = folder.resolve("by-recipe");
    Path typed = folder.resolve("by-options");
    JsonNode manifest = smelt("merge", recipe(LINEAR), "-o", out, "--json").json();
    smelt(
            "merge",
            DRAMA,
            SCRIPTURE,
            "--method",
            "linear",
            "--weight",
            0.7,
            "--weight",
            0.3,
            "-o",
            typed)
        .code();
    assertEqual(out, typed);
    JsonNode parameters = manifest.path("parameters");
    assertThat(parameters.path("method").asString()).isEqualTo("linear");
    assertThat(parameters.path("recipe").path("models").get(0).path("parameters").path("weight"))
        .hasToString("0.7");
    assertThat(manifest.path("inputs").get(1).path("path").asString())
        .isEqualTo(SCRIPTURE.toString());
    assertThat(manifest.path("notes").toString())
        .contains("config and side files are those of " + DRAMA + ", the first model");
    smelt("verify", out).done();
  }

  private static void assertEqual(Path one, Path other) {
    try (Checkpoint a = Checkpoint.open(one);
        Checkpoint b = Checkpoint.open(other)) {
      assertThat(a.infos()).isEqualTo(b.infos());
      for (TensorView view : a.tensors()) {
        assertThat(b.tensor(view.name()).sameBits(view)).as(view.name()).isTrue();
      }
      assertThat(a.config()).isEqualTo(b.config());
      assertThat(a.sideFiles()).hasSameSizeAs(b.sideFiles());
    }
  }

  @Test
  void stagesAreCarriedOutInTheOrderOfTheirUse() throws IOException {
    Path out = folder.resolve("out");
    Path recipe =
        recipe(
            """
            merge_method: task_arithmetic
            base_model: half
            models:
              - {model: %1$s, parameters: {weight: 0.5}}
            ---
            name: half
            merge_method: slerp
            models: [{model: %1$s}, {model: %2$s}]
            parameters: {t: 0.5}
            dtype: float32
            """
                .formatted(DRAMA, SCRIPTURE));
    JsonNode manifest = smelt("merge", recipe, "-o", out, "--json").json();
    Path half = folder.resolve("half-by-hand");
    Path byHand = folder.resolve("by-hand");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "slerp", "--dtype", "f32", "-o", half);
    smelt(
        "merge",
        DRAMA,
        "--base",
        half,
        "--method",
        "task_arithmetic",
        "--weight",
        0.5,
        "-o",
        byHand);
    assertEqual(out, byHand);
    assertThat(manifest.path("inputs").findValuesAsString("path"))
        .containsExactly(DRAMA.toString(), SCRIPTURE.toString());
    assertThat(manifest.path("notes").toString()).contains("side files are those of half");
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder("out", "recipe.yaml", "half-by-hand", "by-hand");
    }
  }

  @Test
  void explainingSaysWhatHoldsForEachTensor() throws IOException {
    Path recipe =
        recipe(
            """
            name: half
            merge_method: slerp
            models: [{model: %1$s}, {model: %2$s}]
            parameters: {t: [0, 1]}
            ---
            merge_method: task_arithmetic
            base_model: %2$s
            models: [{model: half}]
            dtype: float16
            """
                .formatted(DRAMA, SCRIPTURE));
    JsonNode plan = smelt("merge", "--explain", recipe, "--json").json();
    JsonNode first = tensor(plan, 0, "transformer.h.1.mlp.c_fc.weight");
    assertThat(first.path("method").asString()).isEqualTo("slerp");
    assertThat(first.path("parameters").path("t").doubleValue()).isEqualTo(1 / 3.0);
    assertThat(first.path("sources").get(1).asString())
        .isEqualTo(SCRIPTURE + "|transformer.h.1.mlp.c_fc.weight");
    JsonNode last = tensor(plan, 1, "transformer.h.1.mlp.c_fc.weight");
    assertThat(last.path("dtype").asString()).isEqualTo("F16");
    assertThat(last.path("shape")).hasToString("[192,768]");
    assertThat(last.path("sources").get(1).asString())
        .isEqualTo("half|transformer.h.1.mlp.c_fc.weight");
    String text = smelt("merge", "--explain", recipe).done().out();
    assertThat(text)
        .contains(
            "  transformer.h.1.mlp.c_fc.weight F16 [192, 768]\n    task_arithmetic weight=1.0"
                + " lambda=1.0 normalize=false of "
                + SCRIPTURE
                + ", half\n");
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).containsExactly(recipe);
    }
  }

  private static JsonNode tensor(JsonNode plan, int stage, String name) {
    return plan.path("stages")
        .get(stage)
        .path("tensors")
        .valueStream()
        .filter(tensor -> tensor.path("name").asString().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void blocksOfModelsAreStacked() {
    Path out = folder.resolve("stacked");
    Path recipe =
        recipe(
            """
            merge_method: slerp
            slices:
              - sources:
                  - {model: %1$s, layer_range: [0, 3]}
                  - {model: %2$s, layer_range: [0, 3]}
              - sources:
                  - {model: %1$s, layer_range: [1, 4]}
                  - {model: %2$s, layer_range: [1, 4]}
            parameters: {t: 0}
            """
                .formatted(DRAMA, SCRIPTURE));
    smelt("merge", recipe, "-o", out).code();
    try (Checkpoint stacked = Checkpoint.open(out);
        Checkpoint drama = Checkpoint.open(DRAMA)) {
      assertThat(stacked.config().orElseThrow().size("n_layer")).isEqualTo(6);
      String rest = ".attn.c_attn.weight";
      assertThat(
              stacked
                  .tensor("transformer.h.4" + rest)
                  .segment()
                  .mismatch(drama.tensor("transformer.h.2" + rest).segment()))
          .isEqualTo(-1);
    }
    smelt(
            "eval",
            out,
            "--data",
            TESTDATA.resolve("text/drama.val.txt"),
            "--samples",
            2,
            "--seq-len",
            32)
        .done();
  }

  @Test
  void whatARecipeSaysIsNotSaidByOptions() {
    Path recipe = recipe(LINEAR + "dtype: float32\n");
    Path out = folder.resolve("none");
    smelt("merge", recipe, "--method", "linear", "-o", out)
        .refused(ExitCode.USAGE, "--method has no effect with a recipe");
    smelt("merge", recipe, "--weight", 1, "-o", out)
        .refused(ExitCode.USAGE, "--weight has no effect with a recipe");
    smelt("merge", recipe, "--base", DRAMA, "-o", out)
        .refused(ExitCode.USAGE, "--base has no effect with a recipe");
    smelt("merge", recipe, "--dtype", "f16", "-o", out)
        .refused(ExitCode.USAGE, "--dtype has no effect where the recipe names a type");
    smelt("merge", recipe, DRAMA, "-o", out).refused(ExitCode.USAGE, "give the recipe alone");
    smelt("merge", recipe).refused(ExitCode.USAGE, "'--output=OUT'");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear")
        .refused(ExitCode.USAGE, "'--output=OUT'");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--explain")
        .refused(ExitCode.USAGE, "--explain has no effect without a recipe");
    assertThat(out).doesNotExist();
  }

  @Test
  void whatIsNoFileIsNoModel() {
    Path recipe = recipe("merge_method: linear\nmodels: [{model: some/model}, {model: other}]\n");
    smelt("merge", recipe, "-o", folder.resolve("none"))
        .refused(ExitCode.BAD_INPUT, recipe + ":2", "some/model", "not fetched from a hub");
  }

  @Test
  void pathsMayBeRelativeToTheRecipe() {
    Path models = folder.resolve("models");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", models.resolve("a"));
    Path recipe =
        TestCheckpoints.write(
            models.resolve("recipe.yml"),
            "method: slerp\nmodels: [{model: a}, {model: " + SCRIPTURE + "}]\n");
    List<String> inputs =
        smelt("merge", recipe, "-o", folder.resolve("out"), "--json")
            .json()
            .path("inputs")
            .findValuesAsString("path");
    assertThat(inputs).contains(models.resolve("a").toString());
  }

  @Test
  void adaptersAreLaidOverTheirModels() {
    Path adapter = folder.resolve("adapter");
    Path dense = folder.resolve("dense");
    smelt("delta", DRAMA, "--base", SCRIPTURE, "--rank", 4, "-o", adapter).code();
    smelt("expand", adapter, "--base", SCRIPTURE, "-o", dense).done();
    Path recipe =
        recipe(
            """
            merge_method: linear
            models:
              - model: %1$s+adapter
              - {model: {model: %1$s, lora: {path: %2$s}}}
              - model: dense
            """
                .formatted(SCRIPTURE, adapter));
    Path out = folder.resolve("out");
    JsonNode manifest = smelt("merge", recipe, "-o", out, "--json").json();
    assertThat(manifest.path("inputs").findValuesAsString("role")).contains("adapter", "base");
    try (Checkpoint expected = Checkpoint.open(dense);
        Checkpoint merged = Checkpoint.open(out)) {
      for (TensorView view : expected.tensors()) {
        assertThat(merged.tensor(view.name()).sameBits(view)).as(view.name()).isTrue();
      }
    }
    assertThat(smelt("merge", "--explain", recipe).done().out())
        .contains(" of " + SCRIPTURE + "+adapter, ");
    smelt("merge", recipe(LINEAR.replace(DRAMA.toString(), DRAMA + "+" + DRAMA)), "-o", out)
        .refused(ExitCode.USAGE, "exists");
    smelt(
            "merge",
            recipe(LINEAR.replace(DRAMA.toString(), DRAMA + "+" + DRAMA)),
            "-o",
            folder.resolve("none"))
        .refused(ExitCode.BAD_INPUT, "is not the folder of an adapter");
  }

  /** What the last stage cannot do is known before the first one begins. */
  @Test
  void allStagesAreCheckedFirst() {
    Path recipe =
        recipe(
            ("name: half\n"
                    + LINEAR
                    + "---\nmerge_method: slerp\nmodels:\n  - model: half\n  - model: ")
                + TESTDATA.resolve("llama-drama")
                + "\n");
    smelt("merge", recipe, "-o", folder.resolve("none"))
        .refused(ExitCode.BAD_INPUT, "models of different architectures");
    smelt("merge", "--explain", recipe)
        .refused(ExitCode.BAD_INPUT, "models of different architectures");
  }

  @Test
  void statisticsAreNamedBesideTheirModels() {
    Path drama = statistics(DRAMA, "drama");
    Path scripture = statistics(SCRIPTURE, "scripture");
    Path out = folder.resolve("out");
    Path typed = folder.resolve("typed");
    String text = "method: fisher\nmodels:\n- {model: %s, fisher: %s}\n- {model: %s, fisher: %s}\n";
    Path recipe = recipe(text.formatted(DRAMA, "drama.safetensors", SCRIPTURE, scripture));
    JsonNode manifest = smelt("merge", recipe, "-o", out, "--json").json();
    assertThat(manifest.path("inputs").findValuesAsString("role"))
        .containsExactly("model", "model", "statistics", "statistics");
    smelt(
        "merge",
        DRAMA,
        SCRIPTURE,
        "--method",
        "fisher",
        "--fisher",
        drama,
        "--fisher",
        scripture,
        "-o",
        typed);
    assertEqual(out, typed);
    smelt(
            "merge",
            recipe(text.formatted(DRAMA, scripture, SCRIPTURE, drama)),
            "-o",
            folder.resolve("none"))
        .refused(ExitCode.BAD_INPUT, "other model");
  }

  private Path statistics(Path model, String name) {
    Path file = folder.resolve(name + ".safetensors");
    Path data = TESTDATA.resolve("text").resolve(name + ".val.txt");
    smelt("fisher", model, "--data", data, "--samples", 2, "--seq-len", 16, "-o", file).code();
    return file;
  }
}
