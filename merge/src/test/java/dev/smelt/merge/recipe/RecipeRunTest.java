package dev.smelt.merge.recipe;

import static dev.smelt.merge.recipe.Kitchen.EMBEDDING;
import static dev.smelt.merge.recipe.Kitchen.HEAD;
import static dev.smelt.merge.recipe.Kitchen.NORM;
import static dev.smelt.merge.recipe.Kitchen.layerNorm;
import static dev.smelt.merge.recipe.Kitchen.query;
import static dev.smelt.merge.recipe.Kitchen.up;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Documents of the forms that mergekit has, each with what its schema says comes out. */
class RecipeRunTest {

  @TempDir private Path folder;

  private Kitchen kitchen() {
    return new Kitchen(folder).model("a", 1).model("b", 2).model("c", 3);
  }

  /** Σ wᵢθᵢ, rounded to f32 as the output is. */
  private static float[] sum(Kitchen kitchen, String tensor, Object... weightsAndModels) {
    double[] sum = new double[kitchen.of((String) weightsAndModels[1], tensor).length];
    for (int i = 0; i < weightsAndModels.length; i += 2) {
      double weight = (double) weightsAndModels[i];
      double[] theta = kitchen.of((String) weightsAndModels[i + 1], tensor);
      for (int k = 0; k < sum.length; k++) {
        sum[k] += weight * theta[k];
      }
    }
    float[] rounded = new float[sum.length];
    for (int k = 0; k < sum.length; k++) {
      rounded[k] = (float) sum[k];
    }
    return rounded;
  }

  /** Two roundings in f64 can differ from one by a last digit of f32. */
  private static void assertClose(TensorView view, float[] expected) {
    assertThat(view.toFloats()).as(view.name()).containsExactly(expected, within(1e-9f));
  }

  private static void assertSame(TensorView view, TensorView expected) {
    assertThat(view.toDoubles()).as(view.name()).containsExactly(expected.toDoubles());
  }

  @Test
  void weightsOfModels() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              models:
                - model: a
                  parameters:
                    weight: 0.7
                - model: b
                  parameters:
                    weight: 1e-1
                - model: c
                  parameters:
                    weight: "0.2"
              merge_method: linear
              dtype: float32
              """);
      for (TensorInfo info : kitchen.model("a").infos()) {
        assertClose(
            merged.tensor(info.name()), sum(kitchen, info.name(), 0.7, "a", 0.1, "b", 0.2, "c"));
      }
      assertThat(merged.infos()).containsExactlyInAnyOrderElementsOf(kitchen.model("a").infos());
    }
  }

  @Test
  void sumsThatAreNotNormalized() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              merge_method: linear
              models: [{model: a}, {model: b}]
              parameters: {weight: 0.75, normalize: no, int8_mask: true}
              """);
      assertClose(merged.tensor(NORM), sum(kitchen, NORM, 0.75, "a", 0.75, "b"));
    }
  }

  @Test
  void weightZeroIsAWeight() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              merge_method: linear
              models:
                - {model: a, parameters: {weight: 0.0}}
                - {model: b, parameters: {weight: 1.0}}
              """);
      assertSame(merged.tensor(HEAD), kitchen.model("b").tensor(HEAD));
    }
  }

  @Test
  void changesOfABaseWhereverTheBaseStands() {
    String head =
        "merge_method: task_arithmetic\nbase_model: b\nparameters: {lambda: 0.5}\nmodels:\n";
    String others =
        "  - {model: a, parameters: {weight: 0.8}}\n  - {model: c, parameters: {weight: 0.4}}\n";
    try (Kitchen kitchen = kitchen()) {
      for (String text : List.of(head + others, head + "  - model: b\n" + others)) {
        Checkpoint merged = kitchen.run(text);
        assertClose(merged.tensor(up(2)), sum(kitchen, up(2), 0.4, "b", 0.4, "a", 0.2, "c"));
      }
    }
  }

  /** A base of a method of two models is the first of them, in or out of the list. */
  @Test
  void slerpBeginsAtTheBase() {
    try (Kitchen kitchen = kitchen()) {
      for (String models :
          List.of("[{model: b}, {model: a}]", "[{model: a}, {model: b}]", "[{model: b}]")) {
        Checkpoint merged =
            kitchen.run(
                "merge_method: slerp\nbase_model: a\nmodels: "
                    + models
                    + "\nparameters:\n  t: [0, 1]\n");
        assertSame(merged.tensor(EMBEDDING), kitchen.model("a").tensor(EMBEDDING));
        assertSame(merged.tensor(query(0)), kitchen.model("a").tensor(query(0)));
        assertSame(merged.tensor(query(3)), kitchen.model("b").tensor(query(3)));
        assertSame(merged.tensor(HEAD), kitchen.model("b").tensor(HEAD));
        assertThat(merged.tensor(query(1)).toDoubles())
            .containsExactly(
                slerp(1 / 3.0, kitchen.of("a", query(1)), kitchen.of("b", query(1))), within(1e-8));
      }
    }
  }

  private static double[] slerp(double t, double[] a, double[] b) {
    double product = 0;
    double ofA = 0;
    double ofB = 0;
    for (int k = 0; k < a.length; k++) {
      product += a[k] * b[k];
      ofA += a[k] * a[k];
      ofB += b[k] * b[k];
    }
    double angle = Math.acos(product / Math.sqrt(ofA * ofB));
    double[] merged = new double[a.length];
    for (int k = 0; k < a.length; k++) {
      merged[k] = (Math.sin((1 - t) * angle) * a[k] + Math.sin(t * angle) * b[k]) / Math.sin(angle);
    }
    return merged;
  }

  /** The form in which slerp recipes are usually published. */
  @Test
  void gradientsByFilterOverASlice() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              slices:
                - sources:
                    - model: a
                      layer_range: [0, 4]
                    - model: b
                      layer_range: [0, 4]
              merge_method: slerp
              base_model: a
              parameters:
                t:
                  - filter: self_attn
                    value: [0, 0.5, 1]
                  - filter: mlp
                    value: [1, 0]
                  - value: 0.5
              dtype: float32
              """);
      double[] attention = {0, 1 / 3.0, 2 / 3.0, 1};
      for (int layer = 0; layer < 4; layer++) {
        assertSlerp(kitchen, merged, query(layer), attention[layer]);
        assertSlerp(kitchen, merged, up(layer), 1 - layer / 3.0);
        assertSlerp(kitchen, merged, layerNorm(layer), 0.5);
      }
      assertSlerp(kitchen, merged, HEAD, 0.5);
      assertThat(merged.infos()).hasSameSizeAs(kitchen.model("a").infos());
    }
  }

  private static void assertSlerp(Kitchen kitchen, Checkpoint merged, String name, double t) {
    assertThat(merged.tensor(name).toDoubles())
        .as(name)
        .containsExactly(slerp(t, kitchen.of("a", name), kitchen.of("b", name)), within(1e-8));
  }

  /** Source before slice before module before document; a filter that does not fit passes on. */
  @Test
  void theNearestValueHolds() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              merge_method: linear
              modules:
                default:
                  slices:
                    - sources:
                        - model: a
                          layer_range: [0, 2]
                          parameters:
                            weight:
                              - {filter: mlp, value: 1}
                        - {model: b, layer_range: [0, 2]}
                      parameters: {weight: [{filter: self_attn, value: 2}]}
                    - sources:
                        - {model: a, layer_range: [2, 4]}
                        - {model: b, layer_range: [2, 4], parameters: {weight: 5}}
                  parameters: {weight: [{filter: up_proj, value: 3}]}
              parameters: {weight: 4, normalize: false}
              """);
      assertClose(merged.tensor(up(1)), sum(kitchen, up(1), 1.0, "a", 3.0, "b"));
      assertClose(merged.tensor(query(1)), sum(kitchen, query(1), 2.0, "a", 2.0, "b"));
      assertClose(merged.tensor(layerNorm(1)), sum(kitchen, layerNorm(1), 4.0, "a", 4.0, "b"));
      assertClose(merged.tensor(up(3)), sum(kitchen, up(3), 3.0, "a", 5.0, "b"));
      assertClose(merged.tensor(query(3)), sum(kitchen, query(3), 4.0, "a", 5.0, "b"));
    }
  }

  /** Each slice has its own t, its own filters by the names in the models, and its own base. */
  @Test
  void slicesAreStackedAndRenumbered() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              merge_method: task_arithmetic
              base_model: c
              slices:
                - sources:
                    - {model: a, layer_range: [0, 3], parameters: {weight: [0, 1]}}
                    - {model: c, layer_range: [0, 3]}
                - base_model: b
                  sources:
                    - model: a
                      layer_range: [1, 2]
                      parameters:
                        weight:
                          - {filter: layers.1.mlp, value: 0.25}
                          - {value: 1}
                    - {model: b, layer_range: [2, 3]}
              """);
      assertThat(merged.config().orElseThrow().size("num_hidden_layers")).isEqualTo(4);
      assertThat(merged.infos()).hasSize(3 + 4 * 3);
      assertSame(merged.tensor(EMBEDDING), kitchen.model("c").tensor(EMBEDDING));
      assertSame(merged.tensor(up(0)), kitchen.model("c").tensor(up(0)));
      assertClose(merged.tensor(up(1)), sum(kitchen, up(1), 0.5, "c", 0.5, "a"));
      assertSame(merged.tensor(up(2)), kitchen.model("a").tensor(up(2)));
      assertSame(merged.tensor(query(3)), kitchen.model("a").tensor(query(1)));
      float[] expected = new float[6];
      for (int k = 0; k < expected.length; k++) {
        expected[k] = (float) (0.75 * kitchen.of("b", up(2))[k] + 0.25 * kitchen.of("a", up(1))[k]);
      }
      assertClose(merged.tensor(up(3)), expected);
      assertSame(merged.tensor(NORM), kitchen.model("a").tensor(NORM));
    }
  }

  @Test
  void mixedTypesGiveTheTypeThatTheRecipeSays() {
    try (Kitchen kitchen = new Kitchen(folder)) {
      kitchen.model("a", DType.BF16, 1, 2).model("b", DType.F32, 2, 2);
      String models = "merge_method: linear\nmodels: [{model: a}, {model: b}]\n";
      assertType(kitchen.run(models), DType.BF16);
      assertType(kitchen.run(models + "dtype: float16\n"), DType.F16);
      assertType(kitchen.run(models + "dtype: float32\nout_dtype: bfloat16\n"), DType.BF16);
      Checkpoint named = kitchen.run(models + "base_model: b\n");
      assertType(named, DType.BF16);
      assertThat(named.config().orElseThrow().dtype()).contains(DType.BF16);
    }
  }

  private static void assertType(Checkpoint checkpoint, DType expected) {
    assertThat(checkpoint.infos()).allMatch(info -> info.dtype() == expected);
  }

  /** A copy of the embedding that only some models store would no longer be one. */
  @Test
  void tiedHeadsStayTied() {
    String tied = Kitchen.config(2).replace("}", ", \"tie_word_embeddings\": true}");
    List<TestTensor> stored = new ArrayList<>(Kitchen.tensors(DType.F32, 1, 2));
    stored.removeLast();
    List<TestTensor> bare = new ArrayList<>(Kitchen.tensors(DType.F32, 2, 2));
    bare.removeLast();
    stored.add(stored.getFirst().renamed(HEAD));
    try (Kitchen kitchen = new Kitchen(folder).model("a", tied, stored).model("b", tied, bare)) {
      Checkpoint merged =
          kitchen.run(
              "merge_method: slerp\nmodels: [{model: a}, {model: b}]\nparameters: {t: [0.1, 0.9]}\n");
      assertSame(merged.tensor(HEAD), merged.tensor(EMBEDDING));
      StagePlan stacked =
          kitchen.plan(
              """
              merge_method: linear
              slices:
                - sources: [{model: a, layer_range: [0, 1]}, {model: b, layer_range: [1, 2]}]
                - sources: [{model: b, layer_range: [0, 2]}, {model: a, layer_range: [0, 2]}]
              """);
      assertThat(stacked.outputs()).noneMatch(info -> info.name().equals(HEAD));
      assertThat(stacked.plan().dropped()).hasSize(1);
    }
  }

  /** With and without the family's prefix: names are those of the model that gives the config. */
  @Test
  void stackedNamesAreTheDonors() {
    List<TestTensor> bare =
        Kitchen.tensors(DType.F32, 2, 2).stream()
            .map(tensor -> tensor.renamed(tensor.name().replaceFirst("^model\\.", "")))
            .toList();
    try (Kitchen kitchen = new Kitchen(folder).model("a", 1)) {
      kitchen.model("b", Kitchen.config(2), bare);
      Checkpoint merged =
          kitchen.run(
              """
              merge_method: task_arithmetic
              base_model: a
              slices:
                - sources: [{model: b, layer_range: [0, 2]}, {model: a, layer_range: [1, 3]}]
                - sources: [{model: a, layer_range: [0, 1]}, {model: b, layer_range: [1, 2]}]
              """);
      assertThat(merged.infos())
          .hasSize(3 + 3 * 3)
          .allMatch(info -> info.name().equals(HEAD) || info.name().startsWith("model."));
      assertSame(merged.tensor(up(1)), kitchen.model("b").tensor("layers.1.mlp.up_proj.weight"));
    }
  }

  @Test
  void whatHasNoEffectIsListed() {
    try (Kitchen kitchen = kitchen()) {
      StagePlan plan =
          kitchen.plan(
              """
              merge_method: task_arithmetic
              base_model: a
              models:
                - {model: a, parameters: {weight: 0.5}}
                - model: b
                  parameters:
                    weight:
                      - {filter: attn.c_proj, value: 1}
                      - {filter: mlp, value: 1}
                      - {value: 0.5}
              parameters: {int8_mask: true}
              """);
      assertThat(plan.plan().notes())
          .anyMatch(note -> note.startsWith("int8_mask has no effect"))
          .anyMatch(note -> note.startsWith("weight of a has no effect: it is the base ["))
          .anyMatch(note -> note.startsWith("filter attn.c_proj fits no tensor"))
          .noneMatch(note -> note.contains("filter mlp"))
          .anyMatch(
              note ->
                  note.endsWith("config and side files are those of " + kitchen.model("a").path()));
    }
  }

  /** Anchors and merge keys, as YAML 1.1 has them. */
  @Test
  void anchorsAreFollowed() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              merge_method: linear
              models:
                - &first
                  model: a
                  parameters: &p {weight: 1}
                - {<<: *first, model: b}
                - {model: c, parameters: {<<: *p, weight: 2}}
              """);
      assertClose(merged.tensor(NORM), sum(kitchen, NORM, 0.25, "a", 0.25, "b", 0.5, "c"));
    }
  }
}
