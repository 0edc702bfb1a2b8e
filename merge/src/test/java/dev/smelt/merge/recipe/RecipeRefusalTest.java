package dev.smelt.merge.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import java.nio.file.Path;
import java.util.Collections;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What strangers write by mistake, or after the manual of a later version. */
class RecipeRefusalTest {

  private static final String MODELS = "models: [{model: a}, {model: b}]\n";
  private static final String LINEAR = "merge_method: linear\n" + MODELS;

  @TempDir private Path folder;

  private Kitchen kitchen() {
    return new Kitchen(folder).model("a", 1).model("b", 2).model("c", 3);
  }

  /** The refusal of a recipe, which names this line. */
  private AbstractThrowableAssert<?, ? extends Throwable> refused(int line, String text) {
    try (Kitchen kitchen = kitchen()) {
      return assertThatThrownBy(() -> kitchen.plan(text))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("recipe.yaml:" + line + "]");
    }
  }

  private void unsupported(int line, String text, String part) {
    refused(line, text).isInstanceOf(UnsupportedException.class).hasMessageContaining(part);
  }

  private void corrupt(int line, String text, String... parts) {
    AbstractThrowableAssert<?, ? extends Throwable> refusal =
        refused(line, text).isInstanceOf(CorruptException.class);
    for (String part : parts) {
      refusal.hasMessageContaining(part);
    }
  }

  @Test
  void misspeltKeysAreRefusedWithTheNearest() {
    corrupt(3, LINEAR + "paramaters: {weight: 1}\n", "paramaters", "did you mean parameters?");
    corrupt(3, "merge_method: linear\nmodels:\n- modle: a\n- model: b\n", "did you mean model?");
    corrupt(4, LINEAR + "parameters:\n  wieght: 1\n", "wieght of linear", "did you mean weight?");
    corrupt(3, LINEAR + "tokenizer: {sorce: base}\n", "sorce of tokenizer", "did you mean source?");
    corrupt(
        4,
        "merge_method: linear\nslices:\n- sources:\n  - {model: a, layers_range: [0, 1]}\n",
        "did you mean layer_range?");
    corrupt(
        3, LINEAR + "parameters: {weight: [{fliter: mlp, value: 1}]}\n", "did you mean filter?");
    unsupported(1, "merge_method: liner\n" + MODELS, "did you mean linear?");
  }

  @Test
  void keysTwiceAreRefused() {
    corrupt(3, LINEAR + "merge_method: slerp\n", "merge_method is in line 1 as well");
    corrupt(3, LINEAR + "method: slerp\n", "method twice");
    corrupt(4, LINEAR + "tokenizer_source: base\ntokenizer: {source: base}\n", "tokenizer twice");
    corrupt(1, LINEAR + "slices: []\nmodules: {}\n", "found models and slices and modules");
    corrupt(1, "merge_method: linear\n", "expected one of models, slices, modules, found none");
  }

  @Test
  void valuesOfOtherKindsAreRefused() {
    corrupt(3, LINEAR + "parameters: {weight: heavy}\n", "invalid weight", "found 'heavy'");
    corrupt(3, LINEAR + "parameters: {weight: .inf}\n", "expected finite");
    corrupt(3, LINEAR + "parameters: {weight: 010}\n", "found '010'");
    corrupt(3, LINEAR + "parameters: {weight: []}\n", "at least one number");
    corrupt(4, LINEAR + "parameters:\n  weight: [1, [2]]\n", "found a list");
    corrupt(3, LINEAR + "parameters: {weight: {value: }}\n", "expected value");
    corrupt(3, LINEAR + "parameters: [weight]\n", "expected keys with values");
    corrupt(3, LINEAR + "parameters: {normalize: [true, false]}\n", "only numbers have gradients");
    corrupt(3, LINEAR + "parameters: {normalize: 2}\n", "true or false");
    corrupt(3, LINEAR + "dtype: floot32\n", "invalid dtype");
    corrupt(3, LINEAR + "out_dtype: int64\n", "invalid out_dtype");
    corrupt(3, LINEAR + "name: ../x\n", "invalid name");
    corrupt(3, "merge_method: slerp\n" + MODELS + "parameters: {t: 1.5}\n", "0 to 1");
    corrupt(2, "merge_method: linear\nmodels: {model: a}\n", "expected a list");
    corrupt(2, "merge_method: linear\nmodels: [a]\n", "expected keys with values, found 'a'");
    corrupt(1, "- merge_method: linear\n", "expected keys with values, found a list");
    corrupt(1, "linear\n", "found 'linear'");
    corrupt(1, MODELS, "expected merge_method");
  }

  @Test
  void parametersInTheWrongPlaceAreRefused() {
    corrupt(3, LINEAR + "parameters: {t: 0.5}\n", "t is of slerp", "not of linear");
    corrupt(
        3,
        "merge_method: slerp\nmodels:\n- {model: a, parameters: {t: 0.5}}\n- model: b\n",
        "t of slerp is one for all models");
    corrupt(
        4,
        "merge_method: linear\nmodels:\n- {model: a, parameters: {weight: 1}}\n- {model: b}\n",
        "no weight of b");
    corrupt(
        2,
        LINEAR + "parameters: {weight: [{filter: norm, value: 0}, {value: 1}]}\n",
        "for model.layers.0.input_layernorm.weight: the weights sum to 0");
    corrupt(2, "merge_method: linear\nmodels: [{model: a, fisher: f}, {model: b}]\n", "fisher");
    corrupt(2, "merge_method: fisher\nmodels: [{model: a}, {model: b}]\n", "expected fisher of a");
  }

  @Test
  void wrongNumbersOfModelsAreRefused() {
    corrupt(
        2,
        "merge_method: slerp\nmodels: [{model: a}, {model: b}, {model: c}]\n",
        "slerp is of 2 models, found a, b, c");
    corrupt(2, "merge_method: task_arithmetic\n" + MODELS, "expected base_model");
    corrupt(
        3,
        "merge_method: task_arithmetic\nbase_model: a\nmodels: [{model: a}]\n",
        "1 or more models beside the base");
    corrupt(2, "merge_method: linear\nmodels: []\n", "at least one");
  }

  @Test
  void layersMustBeThere() {
    String head = "merge_method: slerp\nslices:\n- sources:\n";
    corrupt(
        5,
        head + "  - {model: a, layer_range: [0, 2]}\n  - {model: b, layer_range: [1, 4]}\n",
        "expected 2 blocks as in [0, 2], found [1, 4]");
    corrupt(
        5,
        head + "  - {model: a, layer_range: [0, 2]}\n  - {model: b, layer_range: [3, 5]}\n",
        "b has 4, found layer_range [3, 5]");
    corrupt(4, head + "  - {model: a, layer_range: [2, 2]}\n", "invalid layer_range");
    corrupt(4, head + "  - {model: a, layer_range: [2]}\n", "invalid layer_range");
    corrupt(4, head + "  - {model: a, layer_range: [-1, 2]}\n", "invalid layer_range");
    corrupt(4, head + "  - {model: a}\n", "expected layer_range");
  }

  @Test
  void whatIsNotSupportedIsRefusedByName() {
    String sources = "  sources:\n  - {model: a, layer_range: [0, 1]}\n";
    unsupported(
        3, "merge_method: linear\nslices:\n- residual_weight: 0.5\n" + sources, "residual_weight");
    unsupported(3, "merge_method: linear\nmodules:\n  vision: {models: []}\n", "found vision");
    unsupported(2, "merge_method: linear\nmodels: [{model: a@main}]\n", "revisions");
    unsupported(
        2,
        "merge_method: linear\nmodels: [{model: {model: {path: a, revision: main}}}]\n",
        "revisions");
    unsupported(
        3, LINEAR + "base_model: {model: a, override_architecture: X}\n", "override_architecture");
    unsupported(3, LINEAR + "chat_template: chatml\n", "chat_template");
    unsupported(3, LINEAR + "tokenizer: {source: base, tokens: {x: {}}}\n", "tokens of tokenizer");
    unsupported(
        3, LINEAR + "models2: !!python/name:os.system x\n".replace("models2", "name"), "tag");
  }

  @Test
  void stagesMustFitTogether() {
    String next = "---\n" + LINEAR;
    corrupt(4, LINEAR + next, "several without a name");
    corrupt(1, "name: x\n" + LINEAR + next, "no other document uses x");
    corrupt(5, "name: x\n" + LINEAR + "---\nname: x\n" + LINEAR, "name x twice");
    corrupt(
        1,
        "name: x\nmerge_method: linear\nmodels: [{model: a}, {model: x}]\n",
        "made of its own result");
  }

  @Test
  void brokenFilesAreRefused() {
    corrupt(3, "merge_method: linear\nmodels: [{model: a}\n", "malformed YAML");
    corrupt(1, "a: &x [*x]\n", "malformed YAML");
    corrupt(1, "? [a]\n: b\n", "expected a name as key");
    try (Kitchen kitchen = kitchen()) {
      assertThatThrownBy(() -> kitchen.read("# nothing\n"))
          .isInstanceOf(CorruptException.class)
          .hasMessageContaining("empty recipe");
      assertThatThrownBy(() -> kitchen.read("[".repeat(10_000)))
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("nested too deeply");
      StringBuilder bomb = new StringBuilder("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
      for (int i = 1; i < 10; i++) {
        String before = "*a" + (i - 1);
        bomb.append(
            "a%d: &a%d [%s]\n".formatted(i, i, String.join(", ", Collections.nCopies(10, before))));
      }
      assertThatThrownBy(() -> kitchen.read(bomb.toString()))
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("recipe too large");
    }
  }

  /** Where blocks differ by their place, not every stack can be stated. */
  @Test
  void blocksThatDependOnTheirPlaceStayThere() {
    String windows =
        Kitchen.config(4)
            .replace("llama", "qwen2")
            .replace("}", ", \"use_sliding_window\": true, \"max_window_layers\": 2}");
    String stack =
        """
        merge_method: slerp
        slices:
          - sources: [{model: w, layer_range: [0, 4]}, {model: v, layer_range: [0, 4]}]
          - sources: [{model: w, layer_range: [%s]}, {model: v, layer_range: [%s]}]
        """;
    try (Kitchen kitchen = kitchen()) {
      kitchen.model("w", windows, Kitchen.tensors(DType.F32, 4, 4));
      kitchen.model("v", windows, Kitchen.tensors(DType.F32, 5, 4));
      StagePlan plan = kitchen.plan(stack.formatted("2, 4", "2, 4"));
      assertThat(plan.config().orElseThrow().size("num_hidden_layers")).isEqualTo(6);
      assertThat(plan.config().orElseThrow().size("max_window_layers")).isEqualTo(2);
      assertThatThrownBy(() -> kitchen.plan(stack.formatted("0, 1", "0, 1")))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("max_window_layers");
      assertThatThrownBy(() -> kitchen.plan(stack.formatted("0, 1", "1, 2")))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("recipe.yaml:4]")
          .hasMessageContaining("merged with each other");
      kitchen.model(
          "v", windows.replace("layers\": 2", "layers\": 3"), Kitchen.tensors(DType.F32, 5, 4));
      assertThatThrownBy(() -> kitchen.plan(stack.formatted("2, 4", "2, 4")))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("configs differ in max_window_layers");
    }
  }

  @Test
  void modelsOfOtherShapesAreRefused() {
    try (Kitchen kitchen = kitchen().model("d", DType.F32, 4, 3)) {
      assertThatThrownBy(
              () -> kitchen.plan("merge_method: linear\nmodels: [{model: a}, {model: d}]"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("layers.3");
    }
  }

  @Test
  void gradientsNeedAKnownFamily() {
    String other = Kitchen.config(4).replace("llama", "other");
    String head = "merge_method: linear\nmodels: [{model: x}, {model: y}]\n";
    try (Kitchen kitchen = kitchen()) {
      kitchen.model("x", other, Kitchen.tensors(DType.F32, 4, 4));
      kitchen.model("y", other, Kitchen.tensors(DType.F32, 5, 4));
      assertThatThrownBy(() -> kitchen.plan(head + "parameters: {weight: [0.1, 1]}\n"))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("recipe.yaml:1]")
          .hasMessageContaining("found model_type other");
      assertThat(kitchen.plan(head + "parameters: {weight: [{filter: mlp, value: 1}, {value: 2}]}"))
          .isNotNull();
    }
  }
}
