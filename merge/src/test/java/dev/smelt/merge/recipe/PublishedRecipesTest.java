package dev.smelt.merge.recipe;

import static dev.smelt.merge.recipe.Kitchen.EMBEDDING;
import static dev.smelt.merge.recipe.Kitchen.NORM;
import static dev.smelt.merge.recipe.Kitchen.layerNorm;
import static dev.smelt.merge.recipe.Kitchen.query;
import static dev.smelt.merge.recipe.Kitchen.up;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Documents of the forms in which merges are published, of the methods these use most. */
class PublishedRecipesTest {

  @TempDir private Path folder;

  private Kitchen kitchen() {
    return new Kitchen(folder).model("base", 1).model("a", 2).model("b", 3);
  }

  /** Upscaling by depth, with the output of the doubled blocks scaled down. */
  @Test
  void blocksArePassedThrough() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              slices:
                - sources:
                  - model: base
                    layer_range: [0, 3]
                - sources:
                  - model: a
                    layer_range: [1, 4]
                    parameters:
                      scale:
                        - filter: up_proj
                          value: 0.0
                        - value: 1.0
              merge_method: passthrough
              dtype: bfloat16
              """);
      assertThat(merged.config().orElseThrow().size("num_hidden_layers")).isEqualTo(6);
      assertThat(merged.infos()).allMatch(info -> info.dtype() == DType.BF16).hasSize(3 + 6 * 3);
      assertRounded(kitchen, merged, EMBEDDING, "base", EMBEDDING);
      assertRounded(kitchen, merged, up(2), "base", up(2));
      assertRounded(kitchen, merged, query(3), "a", query(1));
      assertRounded(kitchen, merged, query(5), "a", query(3));
      assertRounded(kitchen, merged, NORM, "a", NORM);
      assertThat(merged.tensor(up(4)).toDoubles()).containsOnly(0.0);
    }
  }

  /** To the nearest of bf16: within half of its last place, at most 2⁻⁸ of the value. */
  private static void assertRounded(
      Kitchen kitchen, Checkpoint merged, String output, String model, String tensor) {
    double[] expected = kitchen.of(model, tensor);
    double[] found = merged.tensor(output).toDoubles();
    for (int k = 0; k < expected.length; k++) {
      assertThat(found[k]).isCloseTo(expected[k], within(Math.abs(expected[k]) / 256));
    }
  }

  /** Of every change the larger half by magnitude, signs elected, means of those that agree. */
  @Test
  void tiesWithDensitiesAndWeights() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              models:
                - model: base
                - model: a
                  parameters:
                    density: 0.5
                    weight: 0.5
                - model: b
                  parameters:
                    density: 0.5
                    weight: [0.3, 0.3]
              merge_method: ties
              base_model: base
              parameters:
                normalize: true
                int8_mask: true
              dtype: float32
              """);
      for (String name : new String[] {up(1), query(2)}) {
        assertThat(merged.tensor(name).toDoubles())
            .as(name)
            .containsExactly(
                ties(
                    kitchen.of("base", name),
                    new double[][] {kitchen.of("a", name), kitchen.of("b", name)},
                    new double[] {0.5, 0.3}),
                within(1e-8));
      }
    }
  }

  private static double[] ties(double[] base, double[][] models, double[] weights) {
    double[] merged = base.clone();
    double[][] changes = new double[models.length][];
    for (int i = 0; i < models.length; i++) {
      changes[i] = largerHalf(base, models[i]);
    }
    for (int k = 0; k < base.length; k++) {
      double sum = 0;
      for (int i = 0; i < models.length; i++) {
        sum += weights[i] * changes[i][k];
      }
      double agreeing = 0;
      double weight = 0;
      for (int i = 0; i < models.length; i++) {
        if (changes[i][k] != 0 && Math.signum(changes[i][k]) == (sum >= 0 ? 1 : -1)) {
          agreeing += weights[i] * changes[i][k];
          weight += weights[i];
        }
      }
      merged[k] += weight == 0 ? 0 : agreeing / weight;
    }
    return merged;
  }

  private static double[] largerHalf(double[] base, double[] model) {
    double[] change = new double[base.length];
    double[] magnitudes = new double[base.length];
    for (int k = 0; k < base.length; k++) {
      change[k] = model[k] - base[k];
      magnitudes[k] = Math.abs(change[k]);
    }
    Arrays.sort(magnitudes);
    double least = magnitudes[base.length / 2];
    for (int k = 0; k < base.length; k++) {
      change[k] = Math.abs(change[k]) >= least ? change[k] : 0;
    }
    return change;
  }

  @Test
  void modelStockTakesNoParameters() {
    try (Kitchen kitchen = kitchen()) {
      Checkpoint merged =
          kitchen.run(
              """
              models:
                - model: a
                - model: b
              base_model: base
              merge_method: model_stock
              """);
      String name = layerNorm(0);
      double[] base = kitchen.of("base", name);
      double[] a = minus(kitchen.of("a", name), base);
      double[] b = minus(kitchen.of("b", name), base);
      double cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
      double t = 2 * cosine / (1 + cosine);
      double[] found = merged.tensor(name).toDoubles();
      for (int k = 0; k < base.length; k++) {
        assertThat(found[k]).isCloseTo(base[k] + t * (a[k] + b[k]) / 2, within(1e-8));
      }
    }
  }

  private static double[] minus(double[] a, double[] b) {
    double[] difference = new double[a.length];
    Arrays.setAll(difference, k -> a[k] - b[k]);
    return difference;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int k = 0; k < a.length; k++) {
      sum += a[k] * b[k];
    }
    return sum;
  }

  /** Random, but drawn in the order of the tensor: the same in one slice and in the whole. */
  @Test
  void dareTiesOfALikelyModel() {
    String models =
        """
        merge_method: dare_ties
        base_model: base
        parameters: {density: 0.53, weight: 0.4, int8_mask: true}
        """;
    try (Kitchen kitchen = kitchen()) {
      Checkpoint whole = kitchen.run(models + "models: [{model: a}, {model: b}]\n");
      Checkpoint sliced =
          kitchen.run(
              models
                  + "slices:\n- sources:\n  - {model: a, layer_range: [0, 4]}\n"
                  + "  - {model: b, layer_range: [0, 4]}\n"
                  + "  - {model: base, layer_range: [0, 4]}\n");
      for (var view : whole.tensors()) {
        assertThat(sliced.tensor(view.name()).sameBits(view)).as(view.name()).isTrue();
      }
    }
  }
}
